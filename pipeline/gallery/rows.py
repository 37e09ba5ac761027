"""The rows of a gallery: training images of several classes, and the same images after each transform.

Everything is drawn once, as for a training step with these images as its batch: the last row applies the draws of the
rows above together, and an image is blended with another one of its row.
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
from pipeline.gallery.image_grid import Picture, Row, to_uint8

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_BEFORE_NUMBER_OR_UNIT = re.compile(r"(?<!,) (?=[+-]?\d|px\b|bits\b)")  # no line break in "Rotate +7°"


class Examples(NamedTuple):
    """Images, uint8 [N, H, W, C], and the names of their classes."""

    images: np.ndarray
    names: tuple[str, ...]


def build(config: SourceConfig, augmentation: str, seed: int, columns: int) -> Picture:
    """The picture of an augmentation set on a prepared data set, `columns` images in a row.

    `seed` is that of the classes and of the draws.
    """
    examples = choose(config, seed, columns)
    subtitle = f"{config.shown_name}, images of the training split, seed {seed}"
    shown = tuple(rows(sets.build(augmentation, examples.images.shape[1], config.crop_size), examples, seed))
    return Picture(f"Augmentation set: {augmentation}", subtitle, examples.names, shown)


def choose(config: SourceConfig, seed: int, columns: int) -> Examples:
    """The first image of each of `columns` classes, drawn by the seed, in the official training split."""
    opened = OpenedData(DataConfig(**config.source_values(), num_validation=0))
    names = opened.description.classes.fine
    classes = sorted(range(len(names)), key=lambda number: seeds.derive(seed, "gallery", number))[:columns]
    first: dict[int, dict[str, Any]] = {}
    examples = opened.examples("train").unbatch()
    for example in examples.filter(lambda example: tf.reduce_any(example["fine"] == classes)).as_numpy_iterator():
        first.setdefault(int(example["fine"]), example)
        if len(first) == columns:
            break
    images = np.stack([first[number]["image"] for number in classes])
    return Examples(images, tuple(names[number].replace("_", " ") for number in classes))


def rows(transforms: Sequence[Augmentation], examples: Examples, seed: int) -> Iterator[Row]:
    """The rows of the originals, of each transform, and of all of them together if there are several.

    A transform gets what those before it make of unaugmented images.
    """
    yield Row("original", (), examples.images)
    drawn, drawn_later = (_draw(transforms, seed, pass_number, len(examples.names)) for pass_number in (0, 1))
    single: list[Row] = []
    unaugmented = examples
    for transform, of, later in zip(transforms, drawn, drawn_later, strict=True):
        single += _transform_rows(transform, of, later, unaugmented)
        unaugmented = unaugmented._replace(images=np.asarray(transform.unaugmented(unaugmented.images)))
    yield from single
    if len(single) > 1:
        images = composition.compiled(transforms)(tf.constant(examples.images), drawn)
        mixed = composition.mixes_labels(transforms)
        captions = _label_captions(transforms, drawn, images, examples.names) if mixed else ()
        yield Row("all together", ("by the draws above,", "as in training"), to_uint8(images.numpy()), captions)


def _draw(transforms: Sequence[Augmentation], seed: int, pass_number: int, num_images: int) -> composition.Drawn:
    views = Views.of(num_images)._replace(pass_number=tf.fill([num_images], tf.constant(pass_number, tf.int64)))
    return composition.draw_all(transforms, seed, tf.constant(pass_number, tf.int64), views)


def _transform_rows(transform: Augmentation, drawn: Any, drawn_later: Any, examples: Examples) -> Iterator[Row]:
    """The row of a transform, or of each part of a fused one; two rows, of two passes, if it depends on the pass."""
    if isinstance(transform, Fused):
        for part, of, later in zip(transform.parts, drawn, drawn_later, strict=True):
            yield from _transform_rows(part, of, later, examples)
    elif transform.new_every_step:
        yield _row(transform, drawn, examples)
    else:
        yield _row(transform, drawn, examples, "one pass")
        yield _row(transform, drawn_later, examples, "the next pass")


def _row(transform: Augmentation, drawn: Any, examples: Examples, *details: str) -> Row:
    images = composition.apply_all(examples.images, (transform,), (drawn,))
    if isinstance(transform, Mixing):
        captions = _label_captions((transform,), (drawn,), images, examples.names)
    else:
        words = (transform.describe(of_image) for of_image in _image_by_image(drawn, len(examples.names)))
        captions = tuple(_BEFORE_NUMBER_OR_UNIT.sub(NO_BREAK_SPACE, of_image) for of_image in words)
    parameters = (f"{name}={value!r}" for name, value in transform.parameters().items())
    return Row(type(transform).__name__, (*parameters, *details), to_uint8(images.numpy()), captions)


def _label_captions(
    transforms: Sequence[Augmentation], drawn: composition.Drawn, images: tf.Tensor, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Each image's mixed label, such as "70 % maple tree" over "30 % bee", with the weights of the loss."""
    shares = composition.mix_labels(tf.eye(len(names)), transforms, drawn, *images.shape[1:3])

    def caption(of_image: np.ndarray) -> str:
        order = [number for number in np.argsort(-of_image, kind="stable") if of_image[number] >= 0.005]
        return "\n".join(f"{100 * of_image[number]:.0f}{NO_BREAK_SPACE}% {names[number]}" for number in order)

    return tuple(caption(of_image) for of_image in shares.numpy())


def _image_by_image(drawn: Any, num_images: int) -> Iterator[Any]:
    """The draw of each image, as NumPy values in the structure of `drawn`."""
    columns = [column.numpy() for column in tf.nest.flatten(drawn)]
    for place in range(num_images):
        yield tf.nest.pack_sequence_as(drawn, [column[place] for column in columns])
