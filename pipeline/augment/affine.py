"""Affine transforms as matrices, and their fusion into one.

A matrix maps a pixel's position in the result to its position in the image, in pixels (x, y, 1) from the center.
A sequence of transforms is therefore the product of their matrices in that order, and images are resampled once: faster
and sharper than once a transform.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from pipeline.augment import arguments
from pipeline.augment.layer import PACKAGE, Augmentation, Views
from pipeline.common import seeds

FILLS = ("nearest", "reflect", "constant")
DEGREE = 0.017453292519943295  # in radians
Entry: TypeAlias = tf.Tensor | float


class AffineTransform(Augmentation):
    """Base of the transforms that are one matrix an image.

    Args:
      fill: the values of pixels outside of the image: "nearest", those of the border; "reflect", those of the image
        mirrored without repeating its border; "constant", `fill_value`.
      fill_value: 0 to 255.

    Attributes:
      reaches_outside: whether the transform can sample outside of the image.
    """

    reaches_outside = True

    def __init__(self, fill: str = "nearest", fill_value: float = 0.0, **kwargs: Any) -> None:
        if not isinstance(fill, str) or fill not in FILLS:
            raise ValueError(f"fill={fill!r}: expected one of {', '.join(FILLS)}")
        super().__init__(**kwargs)
        self.fill, self.fill_value = fill, arguments.number("fill_value", fill_value, 0, 255)

    def matrices(self, drawn: Any, height: int, width: int) -> tf.Tensor:
        """float32 [B, 3, 3]: the transform of each image."""
        raise NotImplementedError

    def apply(self, images: tf.Tensor, drawn: Any) -> tf.Tensor:
        """Resample the images bilinearly."""
        height, width = images.shape[1:3]
        return warp(images, self.matrices(drawn, height, width), self.fill, self.fill_value)

    def parameters(self) -> dict[str, Any]:
        """As in the base class; how to fill only where it has an effect."""
        unread = {"fill": not self.reaches_outside, "fill_value": self.fill != "constant" or not self.reaches_outside}
        return {name: value for name, value in super().parameters().items() if not unread.get(name)}


@keras.saving.register_keras_serializable(PACKAGE)
class Fused(AffineTransform):
    """Affine transforms as one: their matrices multiplied in order, the images resampled once.

    All but flips must fill in the same way.
    """

    def __init__(self, parts: Sequence[AffineTransform], **kwargs: Any) -> None:
        if isinstance(parts, list | tuple):
            parts = [keras.saving.deserialize_keras_object(part) if isinstance(part, dict) else part for part in parts]
        if not isinstance(parts, list) or not parts or not fills_alike(parts):
            raise ValueError(f"parts={parts!r}: expected at least one affine transform, all with the same fill")
        leading = next((part for part in parts if part.reaches_outside), parts[0])
        kwargs |= {"fill": leading.fill, "fill_value": leading.fill_value}
        super().__init__(**kwargs)
        self.parts = tuple(parts)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the parts: Keras warns of a layer that holds unbuilt ones."""
        for part in self.parts:
            part.build(input_shape)

    def draw(self, seed: tf.Tensor, views: Views) -> tuple[Any, ...]:
        """The draw of each part."""
        return tuple(part.draw(seeds.fold(seed, place), views) for place, part in enumerate(self.parts))

    def matrices(self, drawn: tuple[Any, ...], height: int, width: int) -> tf.Tensor:
        """The product of the parts' matrices."""
        first, *others = [part.matrices(of, height, width) for part, of in zip(self.parts, drawn, strict=True)]
        for matrix in others:
            # No matmul: by default GPUs round its factors to ten bits (TF32), which moves pixels.
            first = tf.reduce_sum(first[:, :, :, None] * matrix[:, None, :, :], axis=2)
        return first

    def describe(self, drawn: tuple[Any, ...]) -> str:
        """The draw of each part as text."""
        return ", ".join(part.describe(of) for part, of in zip(self.parts, drawn, strict=True))

    def parameters(self) -> dict[str, Any]:
        """The parts."""
        return {"parts": list(self.parts)}

    def get_config(self) -> dict[str, Any]:
        """The configuration with which Keras builds the layer of a saved model."""
        return {**super().get_config(), "parts": [keras.saving.serialize_keras_object(part) for part in self.parts]}


def fills_alike(transforms: Sequence[Augmentation]) -> bool:
    """Whether these are affine transforms with the same fill, which can be fused into one."""
    if not all(isinstance(transform, AffineTransform) for transform in transforms):
        return False
    reaching = [transform for transform in transforms if transform.reaches_outside]
    return len({(transform.fill, transform.fill_value) for transform in reaching}) <= 1


def matrix(xx: Entry, xy: Entry, yx: Entry, yy: Entry, x: Entry, y: Entry, num_images: tf.Tensor) -> tf.Tensor:
    """float32 [B, 3, 3] from its two upper rows (xx, xy, x) and (yx, yy, y), each [B] or a number."""
    entries = [xx, xy, x, yx, yy, y, 0.0, 0.0, 1.0]
    columns = [tf.broadcast_to(tf.cast(entry, tf.float32), [num_images]) for entry in entries]
    return tf.reshape(tf.stack(columns, axis=1), [-1, 3, 3])


def warp(images: tf.Tensor, matrices: tf.Tensor, fill: str = "nearest", fill_value: float = 0.0) -> tf.Tensor:
    """float32 [B, H, W, C] images resampled bilinearly, each by its matrix, float32 [B, 3, 3]; `fill` is of `FILLS`."""
    height, width, channels = images.shape[1:]
    place = tf.range(height * width)[None, :]
    rows = tf.cast(place // width, tf.float32) - (height - 1) / 2
    columns = tf.cast(place % width, tf.float32) - (width - 1) / 2
    entries = matrices[:, :, :, None]
    x = entries[:, 0, 0] * columns + entries[:, 0, 1] * rows + entries[:, 0, 2] + (width - 1) / 2
    y = entries[:, 1, 0] * columns + entries[:, 1, 1] * rows + entries[:, 1, 2] + (height - 1) / 2
    inside = _coverage(x, width) * _coverage(y, height)
    x, y = (_folded(x, width), _folded(y, height)) if fill == "reflect" else (x, y)
    x, y = tf.clip_by_value(x, 0.0, width - 1.0), tf.clip_by_value(y, 0.0, height - 1.0)
    # At most the last but one, so that all four neighbors exist.
    left, top = tf.minimum(tf.floor(x), width - 2.0), tf.minimum(tf.floor(y), height - 2.0)
    right_share, bottom_share = tf.reshape(x - left, [-1, 1]), tf.reshape(y - top, [-1, 1])
    # One list of the pixels of all images: XLA gathers from it more than twice as fast as from a batch of images.
    pixels = tf.reshape(images, [-1, channels])
    first_pixel = height * width * tf.range(tf.shape(images)[0])
    corner = tf.reshape(tf.cast(top * width + left, tf.int32) + first_pixel[:, None], [-1])

    def neighbours(offset: int) -> tf.Tensor:
        return tf.gather(pixels, corner + offset)

    upper = neighbours(0) + right_share * (neighbours(1) - neighbours(0))
    lower = neighbours(width) + right_share * (neighbours(width + 1) - neighbours(width))
    sampled = upper + bottom_share * (lower - upper)
    if fill == "constant":
        sampled = fill_value + tf.reshape(inside, [-1, 1]) * (sampled - fill_value)
    return tf.reshape(sampled, [-1, height, width, channels])


def _coverage(place: tf.Tensor, size: int) -> tf.Tensor:
    """The share of a pixel at `place` that the image covers, 0 to 1."""
    return tf.clip_by_value(tf.minimum(place + 1.0, size - place), 0.0, 1.0)


def _folded(place: tf.Tensor, size: int) -> tf.Tensor:
    """`place` mirrored at the centers of the border's pixels until it lies inside."""
    return (size - 1.0) - tf.abs((size - 1.0) - tf.math.floormod(tf.abs(place), 2.0 * (size - 1.0)))
