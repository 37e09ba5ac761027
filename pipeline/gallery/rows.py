"""What a gallery shows: training images of several classes, and rows of them as each transform leaves them.

Everything is drawn once, as for a training step whose batch is the images shown: the last row is the rows above it at
work together, and what a transform blends an image with is another one of the row.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipeline.augment import composition, sets
from pipeline.augment.affine import Fused
from pipeline.augment.layer import Augmentation, Views
from pipeline.augment.mixing import Mixing
from pipeline.batches import OpenedData
from pipeline.common import seeds
from pipeline.data_config import DataConfig, SourceConfig
from pipeline.gallery.image_grid import Picture, Row

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_BEFORE_FIGURE_OR_UNIT = re.compile(r"(?<!,) (?=[+-]?\d|px\b|bits\b)")  # where a line must not end: "Rotate +7°"


class Examples(NamedTuple):
    """Images, uint8 [N, H, W, C], and what each one shows."""

    images: np.ndarray
    names: tuple[str, ...]


def build(config: SourceConfig, augmentation: str, seed: int, columns: int) -> Picture:
    """The whole content of a picture.

    Args:
      config: of a prepared data set.
      augmentation: the set of transforms.
      seed: which classes are shown, and what is drawn.
      columns: how many images there are in a row.
    """
    examples = choose(config, seed, columns)
    return Picture(
        title=f"Augmentation set: {augmentation}",
        subtitle=f"{config.dataset}, images of the training split, seed {seed}",
        headings=examples.names,
        rows=tuple(rows(sets.build(augmentation), examples, seed)),
    )


def choose(config: SourceConfig, seed: int, columns: int) -> Examples:
    """The first image of each of `columns` classes, drawn by the seed, in the official training split."""
    opened = OpenedData(DataConfig(dataset=config.dataset, data_dir=config.data_dir, num_validation=0))
    names = opened.label_names["fine"]
    classes = sorted(range(len(names)), key=lambda number: seeds.derive(seed, "gallery", number))[:columns]
    found: dict[int, dict[str, Any]] = {}
    examples = opened.examples("train").unbatch()
    for example in examples.filter(lambda example: tf.reduce_any(example["fine"] == classes)).as_numpy_iterator():
        found.setdefault(int(example["fine"]), example)
        if len(found) == columns:
            break
    images = np.stack([found[number]["image"] for number in classes])
    return Examples(images, tuple(names[number].replace("_", " ") for number in classes))


def rows(transforms: Sequence[Augmentation], examples: Examples, seed: int) -> Iterator[Row]:
    """The originals, each transform alone, and all of them together; one alone is all of them already."""
    yield Row("original", (), examples.images)
    drawn, drawn_later = (_draw(transforms, seed, pass_number, len(examples.names)) for pass_number in (0, 1))
    alone = [
        row
        for transform, of, later in zip(transforms, drawn, drawn_later, strict=True)
        for row in _alone(transform, of, later, examples)
    ]
    yield from alone
    if len(alone) > 1:
        images = composition.compiled(transforms)(tf.constant(examples.images), drawn)
        mixed = composition.mixes_labels(transforms)
        captions = _label_captions(transforms, drawn, images, examples.names) if mixed else ()
        yield Row("all together", ("by the draws above,", "as training sees them"), _pixels(images), captions)


def _draw(transforms: Sequence[Augmentation], seed: int, pass_number: int, num_images: int) -> composition.Drawn:
    views = Views.of(num_images)._replace(pass_number=tf.fill([num_images], tf.constant(pass_number, tf.int64)))
    return composition.draw_all(transforms, seed, tf.constant(pass_number, tf.int64), views)


def _alone(transform: Augmentation, drawn: Any, drawn_later: Any, examples: Examples) -> Iterator[Row]:
    """A row, or one for each part of a fused transform; two passes of what depends on the pass."""
    if isinstance(transform, Fused):
        for part, of, later in zip(transform.parts, drawn, drawn_later, strict=True):
            yield from _alone(part, of, later, examples)
    elif transform.new_every_step:
        yield _row(transform, drawn, examples)
    else:
        yield _row(transform, drawn, examples, "a pass")
        yield _row(transform, drawn_later, examples, "the next pass")


def _row(transform: Augmentation, drawn: Any, examples: Examples, *details: str) -> Row:
    images = composition.apply_all(examples.images, (transform,), (drawn,))
    if isinstance(transform, Mixing):
        captions = _label_captions((transform,), (drawn,), images, examples.names)
    else:
        words = (transform.describe(of_image) for of_image in _image_by_image(drawn, len(examples.names)))
        captions = tuple(_BEFORE_FIGURE_OR_UNIT.sub(NO_BREAK_SPACE, of_image) for of_image in words)
    parameters = (f"{name}={value!r}" for name, value in transform.parameters().items())
    return Row(type(transform).__name__, (*parameters, *details), _pixels(images), captions)


def _label_captions(
    transforms: Sequence[Augmentation], drawn: composition.Drawn, images: tf.Tensor, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Each image's mixed label, such as "70 % maple tree" over "30 % bee", by the shares that the loss would see."""
    shares = composition.mix_labels(tf.eye(len(names)), transforms, drawn, *images.shape[1:3])

    def caption(of_image: np.ndarray) -> str:
        order = [number for number in np.argsort(-of_image, kind="stable") if of_image[number] >= 0.005]
        return "\n".join(f"{100 * of_image[number]:.0f}{NO_BREAK_SPACE}% {names[number]}" for number in order)

    return tuple(caption(of_image) for of_image in shares.numpy())


def _image_by_image(drawn: Any, num_images: int) -> Iterator[Any]:
    """What was drawn for each image, as NumPy values in the structure of the whole."""
    columns = [column.numpy() for column in tf.nest.flatten(drawn)]
    for place in range(num_images):
        yield tf.nest.pack_sequence_as(drawn, [column[place] for column in columns])


def _pixels(images: tf.Tensor) -> np.ndarray:
    return np.clip(np.rint(images.numpy()), 0, 255).astype(np.uint8)
