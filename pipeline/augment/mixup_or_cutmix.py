"""mixup for some images, CutMix for the others."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.layer import PACKAGE, Views
from pipeline.augment.mixing import Blend, Mixing, draw_blend


@keras.saving.register_keras_serializable(PACKAGE)
class MixUpOrCutMix(Mixing):
    """Either mixup or CutMix, drawn for each image (timm and torchvision draw it for each batch)."""

    def __init__(
        self, mixup_alpha: float = 0.2, cutmix_alpha: float = 1.0, probability: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.mixup_alpha, self.cutmix_alpha, self.probability = mixup_alpha, cutmix_alpha, probability

    def draw(self, seed: tf.Tensor, views: Views) -> Blend:
        """Partners, shares and boxes."""
        return draw_blend(seed, views, self.mixup_alpha, self.cutmix_alpha, 0.5, self.probability)
