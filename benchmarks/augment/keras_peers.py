"""Keras's layers for our transforms and sets, and the generator that the original study used."""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.harness import data as harness_data

Layers = Sequence[keras.layers.Layer]
Make = Callable[..., keras.layers.Layer]


class Peer(NamedTuple):
    """Keras's layers for one of our names, in the order of application."""

    layers: Layers
    is_equal: bool  # whether they do the same work; otherwise they are the nearest that Keras has


def keras_peer(what: str) -> Peer | None:
    """The layers for one of our names; None where Keras has nothing like it."""
    parts = _SETS.get(what, (what,))
    if not _LAYERS.keys() >= set(parts):
        return None
    return Peer([_LAYERS[part](dtype="float32") for part in parts], what in _EQUAL)


class Stacked:
    """Callable `stacked(images, targets)`, which returns both: layers one after the other, as one traced function.

    In the fastest form: neighbors that XLA can compile are compiled together; it has no kernels of the others
    (ImageProjectiveTransformV3, the stateless gamma). Several batches at a time inside of `tf.data` were no faster:
    either way all cores are busy. `xla` says whether XLA compiles all of them.
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

    Images are [B, H, W, C], 0 to 255, and converted to float32 ahead of the measurement.
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
_FILL: dict[str, Any] = {"fill_mode": "nearest", "interpolation": "bilinear"}
_SLANT = {degrees: math.tan(math.radians(degrees)) for degrees in (0.2, 10.0, 11.5)}


def _moved(pixels: int, fill_mode: str) -> Make:
    share = pixels / 32
    return partial(layers.RandomTranslation, share, share, fill_mode=fill_mode, interpolation="nearest")


def _erased(probability: float, scale: tuple[float, float]) -> Make:
    return partial(layers.RandomErasing, (probability, probability), scale=scale, fill_value=127.5)


_EQUAL = {"HorizontalFlip", "VerticalFlip", "Rotation", "Zoom", "Translation", "MixUp", "Grayscale"}
_LAYERS: dict[str, Make] = {
    "HorizontalFlip": partial(layers.RandomFlip, "horizontal"),
    "VerticalFlip": partial(layers.RandomFlip, "vertical"),
    "AlternatingFlip": partial(layers.RandomFlip, "horizontal"),
    "Flip": partial(layers.RandomFlip, "horizontal_and_vertical"),
    "Rotation": partial(layers.RandomRotation, 15 / 360, **_FILL),
    "Rotation(90)": partial(layers.RandomRotation, 0.25, **_FILL),  # turns: 90 degrees either way
    "Shear": partial(layers.RandomShear, _SLANT[10.0], **_FILL),
    "Shear(0.2)": partial(layers.RandomShear, _SLANT[0.2], **_FILL),
    "Shear(11.5)": partial(layers.RandomShear, _SLANT[11.5], **_FILL),
    "Zoom": partial(layers.RandomZoom, 0.2, 0.2, **_FILL),
    "Translation": partial(layers.RandomTranslation, 0.125, 0.125, **_FILL),
    "Shift": _moved(2, "reflect"),
    "Shift(4)": _moved(4, "reflect"),
    "Crop": _moved(4, "constant"),
    "Cutout": _erased(1.0, ((8 / 32) ** 2, (8 / 32) ** 2)),
    "RandomErasing": _erased(0.5, (0.02, 1 / 3)),
    "ChannelShift": partial(layers.RandomBrightness, 0.2),
    "ChannelShift(0.1)": partial(layers.RandomBrightness, 0.1),
    "ColorJitter": partial(
        layers.RandomColorJitter, brightness_factor=0.4, contrast_factor=0.4, saturation_factor=0.4, hue_factor=0.1
    ),
    "Grayscale": partial(layers.RandomGrayscale, 0.2),
    "Grayscale(0.1)": partial(layers.RandomGrayscale, 0.1),
    "MixUp": partial(layers.MixUp, 0.2),
    "CutMix": partial(layers.CutMix, (1.0, 1.0)),
    "RandAugment": partial(layers.RandAugment, num_ops=2),
    "AugMix": partial(layers.AugMix),
}
_SETS = {
    "flip_shift": ("HorizontalFlip", "Shift"),
    "alternating_flip_shift": ("HorizontalFlip", "Shift"),
    "alternating_flip_shift_cutout": ("HorizontalFlip", "Shift(4)", "Cutout"),
    "flip_crop": ("HorizontalFlip", "Crop"),
    "flip_crop_cutout": ("HorizontalFlip", "Crop", "Cutout"),
    "color": ("HorizontalFlip", "Crop", "ColorJitter", "Grayscale(0.1)", "RandomErasing"),
    "rand_augment": ("HorizontalFlip", "Crop", "RandAugment", "Cutout"),
    "augmix": ("HorizontalFlip", "Crop", "AugMix"),
    "original": ("Rotation(90)", "Shear(0.2)", "Zoom", "ChannelShift", "Flip"),
    "original_sheared": ("Rotation(90)", "Shear(11.5)", "Zoom", "ChannelShift", "Flip"),
    "original_coarse": ("Rotation", "Translation", "Shear", "ChannelShift(0.1)"),
}
