"""Saliency maps of a class: by class activation where the network allows it, otherwise by occlusion.

features [h, w, F] ──global average──▶ [F] ──kernel [F, classes]──▶ logits      class activation: features @ kernel
image ──a grey square at each of many places──▶ probability                     occlusion: how much it falls
"""

import contextlib
import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from models.prediction.predictor import Predictor
from models.runtime import global_settings

MIN_CELLS = 4  # each way, of a class-activation map; a smaller one shows nothing
SQUARES = 4  # the image is so many times as wide as the square that hides a part of it
STEPS = 4  # of its own width, in which the square moves over the image
BATCH_SIZE = 64  # hidden copies of a call


@dataclasses.dataclass(frozen=True)
class Method:
    """How a map is made, in words."""

    name: str
    source: str


CLASS_ACTIVATION = Method("class-activation map", "Zhou et al. 2016")  # arXiv 1512.04150
OCCLUSION = Method("occlusion: fall of the probability", "Zeiler and Fergus 2014")  # arXiv 1311.2901


class Explainer:
    """Maps of a classifier's predictions.

    Attributes:
      level: of the labels that are explained, "fine" where the model has a fine head, else "coarse".
      method: CLASS_ACTIVATION where the features of the network are averaged before the logits, else OCCLUSION.
    """

    @global_settings.defaults()
    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.level = predictor.config.head_names[0]
        pooling = _averaged(predictor.model, self.level)
        self.method, self._features = OCCLUSION, None
        if pooling is not None:
            features = keras.Model(predictor.model.inputs[0], pooling.input)
            size = predictor.input_size
            if min(features.compute_output_shape((1, size, size, 3))[1:3]) >= MIN_CELLS:
                self.method = CLASS_ACTIVATION
                self._features = tf.function(lambda image: features(image, training=False), autograph=False)
        self._draw: Callable[[np.ndarray, int], np.ndarray] = self._activation if self._features else self._occlusion

    @global_settings.defaults()
    def __call__(self, image: np.ndarray, number: int) -> np.ndarray:
        """The map of a prepared image, uint8 [S, S, 3], and the class `number`: float32 [S, S], 0 to 1."""
        heat = self._draw(image, number)
        heat = heat - heat.min() if self.method is CLASS_ACTIVATION else np.maximum(heat, 0.0)
        return (heat / max(heat.max(), np.finfo(np.float32).tiny)).astype(np.float32)

    def _activation(self, image: np.ndarray, number: int) -> np.ndarray:
        kernel = self._predictor.model.get_layer(f"{self.level}_logits").kernel.numpy()[:, number]
        assert self._features is not None
        cells = tf.cast(self._features(tf.constant(image[None])), tf.float32).numpy() @ kernel
        return tf.image.resize(cells[..., None], image.shape[:2])[0, ..., 0].numpy()

    def _occlusion(self, image: np.ndarray, number: int) -> np.ndarray:
        """The mean, over the squares that hide a pixel, of how much the probability falls."""
        places = _squares(len(image))
        hidden = np.repeat(image[None], len(places), axis=0)
        for copy, place in zip(hidden, places, strict=True):
            copy[place] = np.round(self._predictor.channel_means)
        falls = self._probability(image[None], number) - self._probability(hidden, number)
        total, count = np.zeros((2, *image.shape[:2]))
        for fall, place in zip(falls, places, strict=True):
            total[place] += fall
            count[place] += 1
        return total / np.maximum(count, 1)

    def _probability(self, images: np.ndarray, number: int) -> np.ndarray:
        """float64 [N]: the probability of a class, of images uint8 [N, S, S, 3]."""
        collected = []
        for start in range(0, len(images), BATCH_SIZE):
            part = images[start : start + BATCH_SIZE]
            padded = np.pad(part, [(0, BATCH_SIZE - len(part)), (0, 0), (0, 0), (0, 0)])
            _, probabilities = self._predictor.call(tf.constant(padded))
            collected.append(probabilities[self.level].numpy()[: len(part), number])
        return np.concatenate(collected).astype(np.float64)


def _averaged(model: keras.Model, level: str) -> keras.layers.Layer | None:
    """The layer of global average pooling in front of the logits of a level; None where there is another one."""
    producers = {}
    for layer in model.layers:
        with contextlib.suppress(AttributeError, ValueError):  # of layers that are called several times
            producers[id(layer.output)] = layer
    tensor = model.get_layer(f"{level}_logits").input
    while isinstance(layer := producers.get(id(tensor)), keras.layers.Dropout):
        tensor = layer.input
    return layer if isinstance(layer, keras.layers.GlobalAveragePooling2D) else None


def _squares(size: int) -> list[tuple[slice, slice]]:
    """The places of the square that moves over an image of `size` pixels each way, up to its last row and column."""
    width = max(1, size // SQUARES)
    starts = sorted({*range(0, size - width, max(1, width // STEPS)), size - width})
    return [(slice(top, top + width), slice(left, left + width)) for top in starts for left in starts]
