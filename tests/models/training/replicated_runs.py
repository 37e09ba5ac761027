"""Trains on several replicas, logical CPU devices of a process of its own, and saves losses and weights.

python -m tests.models.training.replicated_runs NUM_REPLICAS DATA_DIR OUT.npz NAME...

NAME is of CASES.
"""

import sys
from typing import Any

import keras
import numpy as np

from models.config import from_preset
from models.training import loop

SMALL = {"architecture": "speedrun", "widths": "8,8,16", "bottlenecks": "8,8,16"}
# At the rate of `quick` itself, runs that differ in the number of threads alone drift apart.
CASES: dict[str, dict[str, Any]] = {
    "quick": {"sync_batch_norm": True, "max_steps": 10},
    "quick_long": {"sync_batch_norm": True, "max_steps": 100},
    # Partners for blending are images of any replica.
    "mixing": {"architecture": "linear", "augmentation": "modern", "max_steps": 3},
    "sam": {**SMALL, "sync_batch_norm": True, "sam_radius": 0.05, "ema_decay": 0.9, "max_steps": 4},
    "regularized": {"architecture": "linear", "fine_l2": 0.1, "class_weights": "balanced", "max_steps": 4},
    "disk": {"architecture": "linear", "cache": "disk", "lookahead_steps": 2, "steps_per_call": 2, "max_steps": 5},
    "unsynchronized": {**SMALL, "optimizer": "muon", "max_steps": 4},
    "half": {**SMALL, "sync_batch_norm": True, "precision": "mixed_float16", "max_steps": 4},
}


class Losses(keras.callbacks.Callback):
    """Records the epoch's mean loss after each call of the step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append((logs or {}).get("loss", np.nan))  # none before a step that counts


def trained(name: str, data_dir: str, distribute: str = "none", run=None, **values: Any) -> tuple[Any, list[float]]:
    """The result of a case and its losses."""
    fields = {"dataset": "shapes100_tiny", "data_dir": data_dir, "precision": "float32", "batch_size": 64}
    fields |= {"schedule": "constant", "learning_rate": 0.002, **CASES[name], "distribute": distribute, **values}
    if distribute == "none":
        fields.pop("sync_batch_norm", None)
    losses = Losses()
    result = loop.train(*from_preset("quick", **fields), run=run, callbacks=losses, verbose=0)
    return result, losses.losses


def saved(results: dict[str, tuple[Any, list[float]]]) -> dict[str, np.ndarray]:
    """The arrays to compare: losses, weights in one vector, the numbers of the report."""
    arrays = {}
    for name, (result, losses) in results.items():
        arrays[f"{name}/losses"] = np.array(losses)
        arrays[f"{name}/weights"] = np.concatenate([value.ravel() for value in result.model.get_weights()])
        numbers = ("loss", "fine_accuracy", "examples_evaluated", "num_replicas", "steps")
        arrays[f"{name}/report"] = np.array([result.report[key] for key in numbers], float)
    return arrays


def main() -> None:
    """Train the cases of the command line."""
    import tensorflow as tf

    count, data_dir, out, *names = sys.argv[1:]
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(count))
    np.savez(out, **saved({name: trained(name, data_dir, "mirrored") for name in names}))


if __name__ == "__main__":
    main()
