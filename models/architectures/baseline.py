"""The study's first network: two convolutions and a wide dense layer, which memorise and do not generalise.

As a single fine head it has 6,454,948 parameters. The study's row "baseline": 91.7 % in training, 11.39 % in test.
"""

import keras

from models.config.network import NetworkConfig


def baseline(images: keras.KerasTensor, config: NetworkConfig) -> keras.KerasTensor:
    """Scaled images [B, 32, 32, 3] -> features [B, 128]."""
    x = keras.layers.Conv2D(32, 3, padding="valid", activation="relu")(images)
    x = keras.layers.Conv2D(64, 3, padding="valid", activation="relu")(x)
    return keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(x))
