"""The base of the transforms: draw + apply, in float32 under every precision policy.

`draw` is the only random part, a pure function of its seed; `apply` is deterministic, so a test injects the draw. A
training step uses a tuple of transforms through `composition.py`. In a model of your own, a transform is a layer that
augments in training only; called by itself, as in `dataset.map(layer)`, it augments unless `training=False`. There it
has a state, the counter of its draws.
"""

import inspect
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

from pipeline.augment import arguments
from pipeline.common import seeds

PACKAGE = "streaming_cifar100"
OF_LENGTHS = 32  # pixels each way, of the images that the lengths of the sets are of


class Views(NamedTuple):
    """The views of a batch: which example each image is, and how often it was seen.

    Attributes:
      index: int64 [B], the example's place in the training split.
      pass_number: int64 [B], how often the run has seen the example before.
    """

    index: tf.Tensor
    pass_number: tf.Tensor

    @classmethod
    def of(cls, num_images: tf.Tensor | int) -> "Views":
        """The first views of the first `num_images` examples, for images without `VIEW_KEYS`."""
        index = tf.range(tf.cast(num_images, tf.int64))
        return cls(index, tf.zeros_like(index))

    @property
    def count(self) -> tf.Tensor:
        """int32 []: the number of images B."""
        return tf.shape(self.index)[0]


class Augmentation(keras.layers.Layer):
    """Base of the transforms.

    Attributes:
      xla: whether XLA can compile `apply`.
      rgb: whether images must have three channels, red, green and blue.
      new_every_step: whether each step draws with another seed; else draws differ by the views only.
      lengths: names of the arguments that are lengths in pixels, which grow with the images.
      wording: the format of `describe`, a field for each number of a draw; a draw of False reads "unchanged".
    """

    xla = True
    rgb = False
    new_every_step = True
    lengths: tuple[str, ...] = ()
    wording: str

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"  # half precision is too coarse for geometry and color
        super().__init__(**kwargs)
        self.supports_jit = False  # in `fit`: XLA draws other numbers, and leaves out the check of pixels
        self.seed = arguments.whole("seed", seed, 0, 2**63 - 1)
        self._generator = keras.random.SeedGenerator(self.seed)

    def draw(self, seed: tf.Tensor, views: Views) -> Any:
        """The draw of each image: tensors [B, ...], a function of `seed` (int32 [2]) and the views."""
        raise NotImplementedError

    def apply(self, images: tf.Tensor, drawn: Any) -> tf.Tensor:
        """Transform float32 [B, H, W, C] images, 0 to 255, by the draws of `draw`."""
        raise NotImplementedError

    def for_image_size(self, image_size: int) -> "Augmentation":
        """The transform whose lengths have the share of images of this size that these have of 32 pixels."""
        if image_size == OF_LENGTHS or not self.lengths:
            return self
        config = self.get_config()
        scaled = {name: max(1, round(config[name] * image_size / OF_LENGTHS)) for name in self.lengths}
        return type(self).from_config({**config, **scaled})

    def describe(self, drawn: Any) -> str:
        """The draw of one image as text, such as "+34°"; `drawn` holds NumPy values without the batch axis."""
        values = np.ravel(drawn)
        return "unchanged" if values.dtype == bool and not values.any() else self.wording.format(*values)

    def __call__(self, images: Any, *others: Any, **kwargs: Any) -> Any:
        """Call the layer as Keras does; ValueError where `dataset.map(layer)` passes labels too."""
        if others:
            raise ValueError(
                f"{self!r}: expected images alone; for a dataset of pairs write "
                "dataset.map(lambda images, labels: (layer(images), labels))"
            )
        return super().__call__(images, **kwargs)

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Transform uint8 or float images, 0 to 255, in training; else only cast them to float32.

        Where `training` is not given, a model's call is no training and a call of the layer by itself is.

        Raises:
          ValueError: the shape is not [B, H, W, C] with known height, width and channels, or the transform needs 3
            channels, or `training` is no truth value.
          tf.errors.InvalidArgumentError: the pixels in training seem to be scaled to 0 to 1, or to be standardised.
        """
        self._check(images, training)
        pixels = tf.cast(images, tf.float32)
        if not (_is_outermost_call() if training is None else training):
            return self.unaugmented(pixels)
        if images.dtype.is_floating:
            message = f"{self!r}: expected pixels from 0 to 255, got scaled ones; scale them after this layer"
            tf.debugging.Assert(~_seem_scaled(pixels), [message])
        return self.augmented(pixels)

    def augmented(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [B, H, W, C] images transformed by the layer's next draw."""
        # The layer's name separates the draws of two layers with one seed.
        named = seeds.fold(self._generator.next(), seeds.derive(self.seed, type(self).__name__, self.name)[0])
        num_images = tf.shape(images)[0]
        drawn = self.draw(named, Views.of(num_images * num_replicas()))
        return self.apply(images, of_replica(drawn, num_images))

    def unaugmented(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [B, H, W, C] images as evaluation and inference get them."""
        return images

    def _check(self, images: tf.Tensor, training: Any) -> None:
        if not isinstance(training, bool | int | np.bool_ | None):
            raise ValueError(f"{self!r}: training={training!r}: expected True or False")
        shape: Any = getattr(images, "shape", ())
        if len(shape) != 4 or None in shape[1:]:
            expected = "images [B, H, W, C] of known height and width and channels (batch a dataset before its map)"
            raise ValueError(f"{self!r}: expected {expected}, got {shape or type(images).__name__}")
        if shape[1] <= 4 < shape[3]:
            raise ValueError(f"{self!r}: expected images [B, H, W, C], channels last, got {shape}")
        if self.rgb and shape[3] != 3:
            raise ValueError(f"{self!r}: expected images of three channels, got {shape}")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Images keep their size."""
        return input_shape

    def parameters(self) -> dict[str, Any]:
        """The arguments of the constructor but `seed` and Keras's: each is an attribute of the same name."""
        classes = itertools.takewhile(lambda kind: kind is not Augmentation, type(self).__mro__)
        constructors = [vars(kind)["__init__"] for kind in classes if "__init__" in vars(kind)]
        names = (name for constructor in constructors for name in _arguments(constructor))
        return {name: getattr(self, name) for name in names}

    def get_config(self) -> dict[str, Any]:
        """The configuration with which Keras builds the layer of a saved model."""
        return {**super().get_config(), "seed": self.seed, **self.parameters()}

    def __repr__(self) -> str:
        """The call that makes the transform: `Rotation(max_degrees=90.0, fill='nearest')`."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.parameters().items())})"


def _arguments(constructor: Callable[..., None]) -> list[str]:
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    return [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]


def _is_outermost_call() -> bool:
    """Whether the layer that is called now is called by itself, and not within a model's or another layer's call."""
    context = global_state.get_global_attribute("current_call_ctx")
    return context is None or isinstance(context.entry_layer, Augmentation)


def _seem_scaled(images: tf.Tensor) -> tf.Tensor:
    """Bool []: whether images seem to be 0 to 1, -1 to 1 or standardised, instead of 0 to 255."""
    has_fractions = tf.reduce_any(images != tf.round(images))
    low, high = tf.reduce_min(images), tf.reduce_max(images)
    # A cubic or Lanczos resize of 0 to 255 overshoots 0, by less than a quarter of the range.
    return (high <= 1.0) & has_fractions | (low < -0.5) & ((high <= 16.0) | (low < -64.0))


def num_replicas() -> int:
    """The replicas among which a distribution strategy divides each batch; 1 without a strategy."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def of_replica(values: Any, num_images: tf.Tensor | int, first: tf.Tensor | int = 0) -> Any:
    """The rows of this replica's `num_images` images in tensors [B, ...] of a batch, from its image `first` on.

    Replica r has the r-th of the equal parts into which a batch is cut. Draws of a whole batch therefore follow the
    places of its images, however many replicas divide it.
    """
    if num_replicas() == 1:
        return values
    begin = tf.distribute.get_replica_context().replica_id_in_sync_group * num_images - first

    def rows(value: tf.Tensor | None) -> tf.Tensor | None:
        if value is None:
            return None
        part = value[begin : begin + num_images]
        return tf.ensure_shape(part, [num_images, *part.shape[1:]]) if isinstance(num_images, int) else part

    return tf.nest.map_structure(rows, values)


def uniform(seed: tf.Tensor, shape: list[Any], low: float = 0.0, high: float = 1.0) -> tf.Tensor:
    """float32 draws, the same on every device."""
    return tf.random.stateless_uniform(shape, seed, low, high, alg=seeds.ALGORITHM)


def integers(seed: tf.Tensor, shape: list[Any], low: int, high: int) -> tf.Tensor:
    """int32 draws from `low` up to but not including `high`, the same on every device."""
    return tf.random.stateless_uniform(shape, seed, low, high, tf.int32, alg=seeds.ALGORITHM)


def gamma(seed: tf.Tensor, shape: list[Any], alpha: float) -> tf.Tensor:
    """float32 draws from Gamma(alpha, 1); TensorFlow chooses the algorithm where `alpha` is not 1."""
    if alpha == 1.0:
        return -tf.math.log1p(-uniform(seed, shape))
    return tf.random.stateless_gamma(shape, seed, alpha)


def chosen(seed: tf.Tensor, num_images: tf.Tensor, probability: float) -> tf.Tensor:
    """Bool [B]: True with `probability`, independently for each image."""
    return uniform(seed, [num_images]) < probability


def per_image(values: tf.Tensor) -> tf.Tensor:
    """[B] -> [B, 1, 1, 1], to broadcast against images."""
    return values[:, None, None, None]
