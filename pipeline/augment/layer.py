"""What every transform shares: draw + apply, float32 whatever the precision policy.

`draw` is the only random part, a pure function of its seed; `apply` is exact and knows no chance, so a test injects
what was drawn. A training step uses a tuple of transforms through `composition.py`; in a model of your own a transform
is a layer like any other, active in training alone, and only there it has a state: the counter of its draws.
"""

import inspect
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from pipeline.common import seeds

PACKAGE = "streaming_cifar100"


class Views(NamedTuple):
    """Which views a batch holds.

    Attributes:
      index: int64 [B], the example's place among the training examples.
      pass_number: int64 [B], how often the example was seen before in this run.
    """

    index: tf.Tensor
    pass_number: tf.Tensor

    @classmethod
    def of(cls, num_images: tf.Tensor | int) -> "Views":
        """Views of images that nobody has numbered."""
        index = tf.range(tf.cast(num_images, tf.int64))
        return cls(index, tf.zeros_like(index))

    @property
    def count(self) -> tf.Tensor:
        """int32 []: B."""
        return tf.shape(self.index)[0]


class Augmentation(keras.layers.Layer):
    """Base of the transforms.

    Attributes:
      xla: whether XLA can compile `apply`.
      rgb: whether images must have three channels, red, green and blue.
      new_every_step: whether a run draws with another seed each step; otherwise the views alone make the difference.
    """

    xla = True
    rgb = False
    new_every_step = True

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"  # geometry and colour are never computed in half precision
        super().__init__(**kwargs)
        self.seed = seed
        self._generator = keras.random.SeedGenerator(seed)

    def draw(self, seed: tf.Tensor, views: Views) -> Any:
        """What chance decides, for each image its own: tensors [B, ...] that follow from `seed` (int32 [2]) alone."""
        raise NotImplementedError

    def apply(self, images: tf.Tensor, drawn: Any) -> tf.Tensor:
        """float32 [B, H, W, C] images, 0 to 255, changed as `drawn` says."""
        raise NotImplementedError

    def describe(self, drawn: Any) -> str:
        """One image's draw in a few words, such as "+34°"; `drawn` holds NumPy values without the batch's axis."""
        raise NotImplementedError

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """As a layer of a model: images as they are, or, in training, changed by a draw of its own.

        Raises:
          ValueError: they are no batch [B, H, W, C] of known height and width, or not of red, green and blue.
        """
        if len(images.shape) != 4 or None in images.shape[1:3]:
            raise ValueError(f"{self!r}: expected images [B, H, W, C] of known height and width, got {images.shape}")
        if self.rgb and images.shape[3] != 3:
            raise ValueError(f"{self!r}: expected images of three channels, got {images.shape}")
        images = tf.cast(images, tf.float32)
        if not training:
            return images
        # Named, or two layers of one seed would draw alike.
        named = seeds.fold(self._generator.next(), seeds.derive(self.seed, type(self).__name__, self.name)[0])
        return self.apply(images, self.draw(of_replica(named), Views.of(tf.shape(images)[0])))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Images keep their size."""
        return input_shape

    def parameters(self) -> dict[str, Any]:
        """The arguments of the constructor but `seed` and Keras's: each is an attribute of the same name."""
        classes = itertools.takewhile(lambda kind: kind is not Augmentation, type(self).__mro__)
        constructors = [vars(kind)["__init__"] for kind in classes if "__init__" in vars(kind)]
        arguments = (argument for constructor in constructors for argument in _arguments(constructor))
        return {name: getattr(self, name) for name in arguments}

    def get_config(self) -> dict[str, Any]:
        """The configuration with which Keras builds the layer of a saved model."""
        return {**super().get_config(), "seed": self.seed, **self.parameters()}

    def __repr__(self) -> str:
        """The call that makes the transform: `Rotation(max_degrees=90.0, fill='nearest')`."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.parameters().items())})"


def _arguments(constructor: Callable[..., None]) -> list[str]:
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    return [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]


def of_replica(seed: tf.Tensor) -> tf.Tensor:
    """The seed that this replica draws with: the same, or under a distribution strategy one of its own."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return seed
    return seeds.fold(seed, context.replica_id_in_sync_group)


def uniform(seed: tf.Tensor, shape: list[Any], low: float = 0.0, high: float = 1.0) -> tf.Tensor:
    """float32 draws, the same on every device."""
    return tf.random.stateless_uniform(shape, seed, low, high, alg=seeds.ALGORITHM)


def integers(seed: tf.Tensor, shape: list[Any], low: int, high: int) -> tf.Tensor:
    """int32 draws from `low` up to but not including `high`, the same on every device."""
    return tf.random.stateless_uniform(shape, seed, low, high, tf.int32, alg=seeds.ALGORITHM)


def gamma(seed: tf.Tensor, shape: list[Any], alpha: float) -> tf.Tensor:
    """float32 draws from Gamma(alpha, 1); for an `alpha` other than 1 TensorFlow lets nobody name the algorithm."""
    if alpha == 1.0:
        return -tf.math.log1p(-uniform(seed, shape))
    return tf.random.stateless_gamma(shape, seed, alpha)


def chosen(seed: tf.Tensor, num_images: tf.Tensor, probability: float) -> tf.Tensor:
    """Bool [B]: True with `probability`, each image by its own coin."""
    return uniform(seed, [num_images]) < probability


def per_image(values: tf.Tensor) -> tf.Tensor:
    """[B] -> [B, 1, 1, 1], to meet images."""
    return values[:, None, None, None]
