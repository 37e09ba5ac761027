"""Runs of a network that trains in no time, and their weights."""

from typing import Any

import numpy as np

from models.config.training import TrainConfig
from models.training import loop
from tests.faults.tracing import contents


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


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a run without times and memory, which differ from one run to the next."""
    return [{key: value for key, value in row.items() if not contents.TIMES.search(key)} for row in rows]


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
