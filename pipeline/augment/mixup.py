"""mixup."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.layer import PACKAGE, Views
from pipeline.augment.mixing import Blend, Mixing, draw_blend


@keras.saving.register_keras_serializable(PACKAGE)
class MixUp(Mixing):
    """Blends each image with another one of the batch; the weight of each pair is from Beta(alpha, alpha).

    Zhang et al. 2018, arXiv 1710.09412.
    """

    def __init__(self, alpha: float = 0.2, probability: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha, self.probability = alpha, probability

    def draw(self, seed: tf.Tensor, views: Views) -> Blend:
        """Partners and shares."""
        return draw_blend(seed, views, self.alpha, self.alpha, 0.0, self.probability)
