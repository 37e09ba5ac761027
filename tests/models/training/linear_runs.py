"""Runs of a network that trains in no time, and their weights."""

import numpy as np

from models.config.training import TrainConfig
from models.training import loop


def linear(**values) -> TrainConfig:
    """A network that trains in no time; 15 steps an epoch."""
    defaults = {
        "architecture": "linear",
        "precision": "float32",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "epochs": 3.0,
    }
    return TrainConfig(**{**defaults, **values})


def weights(trained: loop.TrainResult) -> list[np.ndarray]:
    return trained.model.get_weights()


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
