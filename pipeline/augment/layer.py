"""What every transform shares: draw + apply, float32 whatever the precision policy, no state.

`draw` is the only random part, a pure function of its seed; `apply` is exact and knows no chance, so a test injects
what was drawn. In a training step:

    transforms = (HorizontalFlip(), Shift(2))
    drawn = draw_all(transforms, seed, step, num_images)
    images = apply_all(images, transforms, drawn)             # uint8 or float32 0..255 -> float32 0..255

In a model of your own a transform is a layer like any other, active in training alone.
"""

from typing import Any

import keras
import tensorflow as tf

from pipeline import seeds


class Augmentation(keras.layers.Layer):
    """Base of the transforms. `xla` says whether XLA can compile the transform."""

    xla = True

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"  # geometry and colour are never computed in half precision
        super().__init__(**kwargs)
        self.seed = seed
        self._generator = keras.random.SeedGenerator(seed)

    def draw(self, seed: tf.Tensor, num_images: tf.Tensor) -> Any:
        """What chance decides, for each image its own: tensors [B, ...] that follow from `seed` (int32 [2]) alone."""
        raise NotImplementedError

    def apply(self, images: tf.Tensor, drawn: Any) -> tf.Tensor:
        """float32 [B, H, W, C] images, 0 to 255, changed as `drawn` says."""
        raise NotImplementedError

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """As a layer of a model: images as they are, or, in training, changed by a draw of its own."""
        images = tf.cast(images, tf.float32)
        return self.apply(images, self.draw(self._generator.next(), tf.shape(images)[0])) if training else images

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Images keep their size."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "seed": self.seed}


def draw_all(
    transforms: tuple[Augmentation, ...], seed: int, step: tf.Tensor, num_images: tf.Tensor
) -> tuple[Any, ...]:
    """What chance decides for a batch, transform by transform.

    Never compile this with XLA: its stateless generator gives other numbers than TensorFlow's, and a draw must follow
    from the seed alone. `apply_all` may be compiled.

    Args:
      transforms: in the order that they are applied.
      seed: the run's seed.
      step: int64 []; with the seed and a transform's place and name it decides every draw.
      num_images: int32 [].
    """
    names = [(place, type(transform).__name__) for place, transform in enumerate(transforms)]
    named = [seeds.derive(seed, "augment", place, name) for place, name in names]
    return tuple(
        transform.draw(seeds.fold(of_transform, step), num_images)
        for transform, of_transform in zip(transforms, named, strict=True)
    )


def apply_all(images: tf.Tensor, transforms: tuple[Augmentation, ...], drawn: tuple[Any, ...]) -> tf.Tensor:
    """uint8 or float32 [B, H, W, C] images, 0 to 255 -> float32, changed by each transform in order."""
    images = tf.cast(images, tf.float32)
    for transform, of_transform in zip(transforms, drawn, strict=True):
        images = transform.apply(images, of_transform)
    return images
