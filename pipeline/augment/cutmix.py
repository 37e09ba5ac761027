"""CutMix."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.layer import PACKAGE, Views
from pipeline.augment.mixing import Blend, Mixing, draw_blend


@keras.saving.register_keras_serializable(PACKAGE)
class CutMix(Mixing):
    """Replaces a box of each image by that box of another one; the box's share of the area is from Beta(alpha, alpha).

    Yun et al. 2019, arXiv 1905.04899.
    """

    def __init__(self, alpha: float = 1.0, probability: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha, self.probability = alpha, probability

    def draw(self, seed: tf.Tensor, views: Views) -> Blend:
        """Partners, shares and boxes."""
        return draw_blend(seed, views, self.alpha, self.alpha, 1.0, self.probability)
