"""The original study's first network: two convolutions and a wide dense layer, which memorize and do not generalize.

6,454,948 parameters with one fine head. The original study's row "baseline": 91.7 % in training, 11.39 % in test.
"""

from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import Config


def baseline(images: Tensor, config: Config, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, 32, 32, 3] -> features [B, 128]."""
    x = keras.layers.Conv2D(32, 3, padding="valid", activation="relu")(images)
    x = keras.layers.Conv2D(64, 3, padding="valid", activation="relu")(x)
    return keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(x))
