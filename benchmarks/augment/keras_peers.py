"""Keras's layers for our transforms and sets, and the generator that the original study used."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.harness import data as harness_data

Layers = Sequence[keras.layers.Layer]


class Peer(NamedTuple):
    """Keras's layers for one of our names.

    Attributes:
      layers: in the order of application.
      is_equal: whether they do the same work; otherwise they are the nearest that Keras has.
    """

    layers: Layers
    is_equal: bool


def keras_peer(what: str) -> Peer | None:
    """The layers for one of our names; None where Keras has nothing like it."""
    if what in _EQUAL:
        return Peer(_EQUAL[what](), True)
    return Peer(_NEAREST[what](), False) if what in _NEAREST else None


class Stacked:
    """Callable `stacked(images, targets)`, which returns both: layers one after the other, as one traced function.

    In the fastest form: neighbours that XLA can compile are compiled together; it has no kernels of the others
    (ImageProjectiveTransformV3, the stateless gamma). Several batches at a time inside of `tf.data` were no faster:
    either way all cores are busy.

    Attributes:
      xla: whether XLA compiles all of them.
    """

    _XLA = (
        layers.RandomFlip,
        layers.RandomBrightness,
        layers.RandomErasing,
        layers.RandomColorJitter,
        layers.RandomGrayscale,
    )

    def __init__(self, stack: Layers) -> None:
        self.xla = all(isinstance(layer, self._XLA) for layer in stack)
        self._mixes = any(isinstance(layer, (layers.MixUp, layers.CutMix)) for layer in stack)
        groups = itertools.groupby(stack, lambda layer: isinstance(layer, self._XLA))
        self._parts = [tf.function(_chain(list(group)), jit_compile=xla or None) for xla, group in groups]
        self._whole = tf.function(self._called)

    def __call__(self, images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """uint8 [B, H, W, C] images and float32 [B, N] targets -> float32 images, 0 to 255, and targets."""
        return self._whole(images, targets)

    def _called(self, images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.cast(images, tf.float32)
        data = {"images": images, "labels": targets} if self._mixes else images
        for part in self._parts:
            data = part(data)
        return (data["images"], data["labels"]) if self._mixes else (data, targets)


class Generator:
    """Callable `generator(num_batches)`: `ImageDataGenerator` with the parameters of the original study.

    Args:
      images: [B, H, W, C], 0 to 255; converted to float32 ahead of the measurement.
    """

    def __init__(self, images: np.ndarray) -> None:
        from keras.src.legacy.preprocessing.image import ImageDataGenerator

        generator = ImageDataGenerator(**harness_data.ORIGINAL_GENERATOR, channel_shift_range=0.2 * 255)
        self._batches = generator.flow(images.astype(np.float32), batch_size=len(images), shuffle=False)

    def __call__(self, num_batches: int) -> np.ndarray:
        """The last of the batches, float32 [B, H, W, C]."""
        for _ in range(num_batches):
            last = next(self._batches)
        return last


def _chain(group: Layers) -> Callable[[Any], Any]:
    def called(data: Any) -> Any:
        for layer in group:
            data = layer(data, training=True)
        return data

    return called


# `nearest` everywhere, where Keras's own default is to reflect; whole pixels are taken, not interpolated.
_FILL: dict[str, Any] = {"fill_mode": "nearest", "interpolation": "bilinear", "dtype": "float32"}
_WHOLE: dict[str, Any] = {"interpolation": "nearest", "dtype": "float32"}
_SLANT = {degrees: math.tan(math.radians(degrees)) for degrees in (0.2, 10.0, 11.5)}


def _original(max_shear_degrees: float) -> Layers:
    return [
        layers.RandomRotation(0.25, **_FILL),  # turns: 90 degrees either way
        layers.RandomShear(_SLANT[max_shear_degrees], **_FILL),
        layers.RandomZoom(0.2, 0.2, **_FILL),
        layers.RandomBrightness(0.2, dtype="float32"),
        layers.RandomFlip("horizontal_and_vertical", dtype="float32"),
    ]


def _flip() -> Layers:
    return [layers.RandomFlip("horizontal", dtype="float32")]


def _shift(max_pixels: int = 2) -> Layers:
    return [layers.RandomTranslation(max_pixels / 32, max_pixels / 32, fill_mode="reflect", **_WHOLE)]


def _crop() -> Layers:
    return [layers.RandomTranslation(4 / 32, 4 / 32, fill_mode="constant", **_WHOLE)]


def _cutout() -> Layers:
    area = (8 / 32) ** 2
    return [layers.RandomErasing((1.0, 1.0), scale=(area, area), fill_value=127.5, dtype="float32")]


_EQUAL: dict[str, Callable[[], Layers]] = {
    "HorizontalFlip": _flip,
    "VerticalFlip": lambda: [layers.RandomFlip("vertical", dtype="float32")],
    "Rotation": lambda: [layers.RandomRotation(15 / 360, **_FILL)],
    "Zoom": lambda: [layers.RandomZoom(0.2, 0.2, **_FILL)],
    "Translation": lambda: [layers.RandomTranslation(0.125, 0.125, **_FILL)],
    "MixUp": lambda: [layers.MixUp(0.2, dtype="float32")],
    "Grayscale": lambda: [layers.RandomGrayscale(0.2, dtype="float32")],
}
_NEAREST: dict[str, Callable[[], Layers]] = {
    "AlternatingFlip": _flip,
    "Shift": _shift,
    "Crop": _crop,
    "Cutout": _cutout,
    "RandomErasing": lambda: [
        layers.RandomErasing((0.5, 0.5), scale=(0.02, 1 / 3), fill_value=127.5, dtype="float32"),
    ],
    "Shear": lambda: [layers.RandomShear(_SLANT[10.0], **_FILL)],
    "ChannelShift": lambda: [layers.RandomBrightness(0.2, dtype="float32")],
    "CutMix": lambda: [layers.CutMix((1.0, 1.0), dtype="float32")],
    "ColorJitter": lambda: [
        layers.RandomColorJitter(
            brightness_factor=0.4, contrast_factor=0.4, saturation_factor=0.4, hue_factor=0.1, dtype="float32"
        )
    ],
    "RandAugment": lambda: [layers.RandAugment(num_ops=2, dtype="float32")],
    "AugMix": lambda: [layers.AugMix(dtype="float32")],
    "flip_shift": lambda: [*_flip(), *_shift()],
    "alternating_flip_shift": lambda: [*_flip(), *_shift()],
    "alternating_flip_shift_cutout": lambda: [*_flip(), *_shift(4), *_cutout()],
    "flip_crop": lambda: [*_flip(), *_crop()],
    "flip_crop_cutout": lambda: [*_flip(), *_crop(), *_cutout()],
    "color": lambda: [
        *_flip(),
        *_crop(),
        *_NEAREST["ColorJitter"](),
        layers.RandomGrayscale(0.1, dtype="float32"),
        *_NEAREST["RandomErasing"](),
    ],
    "rand_augment": lambda: [*_flip(), *_crop(), *_NEAREST["RandAugment"](), *_cutout()],
    "augmix": lambda: [*_flip(), *_crop(), *_NEAREST["AugMix"]()],
    "original": lambda: _original(0.2),
    "original_sheared": lambda: _original(11.5),
    "original_coarse": lambda: [
        layers.RandomRotation(15 / 360, **_FILL),
        layers.RandomTranslation(0.125, 0.125, **_FILL),
        layers.RandomShear(_SLANT[10.0], **_FILL),
        layers.RandomBrightness(0.1, dtype="float32"),
    ],
}
