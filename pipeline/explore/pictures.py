"""The figures of an exploration: a sample of each class, mean images, augmented views beside their originals."""

import numpy as np
import tensorflow as tf

from pipeline.augment import composition, sets
from pipeline.augment.layer import Views
from pipeline.common.numbers import counted
from pipeline.data_config import SourceConfig
from pipeline.explore.statistics import Survey
from pipeline.gallery import rows as gallery_rows
from pipeline.gallery.image_grid import Picture, Row, to_uint8
from pipeline.gallery.rows import Examples

SUPERCLASSES_A_ROW = 5
CLASSES_A_ROW, MAX_CLASSES = 10, 100  # of samples without superclasses
NUM_ORIGINALS, NUM_VIEWS = 6, 6


def samples(config: SourceConfig, survey: Survey) -> Picture:
    """A row for each superclass: the first training image of each of its classes, with its name.

    Without superclasses, rows of at most MAX_CLASSES classes.
    """
    examples = _choose(config, survey, 0, len(survey.fine_names) if survey.has_superclasses else MAX_CLASSES)
    image_of = dict(zip(examples.names, examples.images, strict=True))
    if not survey.has_superclasses:
        ends = range(0, len(examples.names), CLASSES_A_ROW)
        parts = [slice(begin, begin + CLASSES_A_ROW) for begin in ends]
        plain = tuple(Row("", (), examples.images[part], examples.names[part]) for part in parts)
        return Picture(survey.title, "One training image of each class", (), plain)

    def row(coarse: int, members: tuple[int, ...]) -> Row:
        names = tuple(survey.fine_names[fine] for fine in members)
        return Row(survey.coarse_names[coarse], (), np.stack([image_of[name] for name in names]), names)

    rows = tuple(row(*item) for item in survey.members.items())
    return Picture(survey.title, "One training image of each class, one row for each superclass", (), rows)


def mean_images(survey: Survey) -> Picture:
    """The mean of the training images, of all and of each superclass, with stretched contrast."""
    pixels = survey.pixels["train"]
    mean = pixels.mean_image
    count = counted(pixels.num_images, "image")
    rows = [Row("all classes", (count,), to_uint8(np.stack([mean, stretched(mean)])), ("original", "stretched"))]
    for first in range(0, len(survey.coarse_names) if survey.has_superclasses else 0, SUPERCLASSES_A_ROW):
        those = slice(first, first + SUPERCLASSES_A_ROW)
        means = [stretched(image) for image in pixels.coarse_mean_images[those]]
        name = "superclasses, stretched" if first == 0 else ""
        rows.append(Row(name, (), to_uint8(np.stack(means)), survey.coarse_names[those]))
    subtitle = "Mean of the training images; stretched: from its darkest value to its brightest"
    return Picture(survey.title, subtitle, (), tuple(rows))


def augmented(config: SourceConfig, survey: Survey, augmentation: str, seed: int) -> Picture:
    """A row for each image: the original, then its views in the first passes of a training."""
    examples = _choose(config, survey, seed, NUM_ORIGINALS)
    transforms = sets.build(augmentation, examples.images.shape[1], config.crop_size)
    num_originals = len(examples.names)  # fewer where there are fewer classes
    views = Views(
        index=tf.tile(tf.range(num_originals, dtype=tf.int64), [NUM_VIEWS]),
        pass_number=tf.repeat(tf.range(NUM_VIEWS, dtype=tf.int64), num_originals),
    )
    drawn = composition.draw_all(transforms, seed, tf.constant(0, tf.int64), views)
    images = composition.compiled(transforms)(tf.tile(examples.images, [NUM_VIEWS, 1, 1, 1]), drawn)
    originals = np.asarray(composition.unaugmented(examples.images, transforms))
    passes = [originals, *to_uint8(images.numpy()).reshape(NUM_VIEWS, *originals.shape)]
    rows = tuple(Row(name, (), of_image) for name, of_image in zip(examples.names, np.stack(passes, 1), strict=True))
    headings = ("original", *(f"view {number}" for number in range(1, NUM_VIEWS + 1)))
    mixed = "; labels are mixed as the images are" if composition.mixes_labels(transforms) else ""
    subtitle = f"Augmentation set: {augmentation}{mixed}; images of the training split, seed {seed}"
    return Picture(survey.title, subtitle, headings, rows)


def _choose(config: SourceConfig, survey: Survey, seed: int, columns: int) -> Examples:
    """As `gallery.rows.choose`, in the order of the labels."""
    images, names = gallery_rows.choose(config, seed, columns)
    order = sorted(range(len(names)), key=lambda place: survey.fine_names.index(names[place]))
    return Examples(images[order], tuple(names[place] for place in order))


def stretched(image: np.ndarray) -> np.ndarray:
    """Values scaled linearly to 0 to 255, alike for all channels, so that hues stay; a constant image is unchanged."""
    low, high = image.min(), image.max()
    return (image - low) * (255 / (high - low)) if high > low else image
