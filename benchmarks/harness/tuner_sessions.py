"""Tuner sessions of a linear model on shapes100_tiny, whose trials train for about a second: the tuner's own cost."""

import pathlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

DATASET, MAX_EPOCHS = "shapes100_tiny", 4
BASE = {"preset": "linear", "num_validation": 500, "batch_size": 100, "precision": "float32"}


def choose(hp: "HyperParameters") -> dict[str, Any]:
    """The space: a grid of 80 trials."""
    return {
        "learning_rate": hp.Choice("learning_rate", [1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3]),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.1, 0.25, 0.5, 1.0, 2.0]),
        "pixel_scaling": hp.Choice("pixel_scaling", ["standardise", "unit"]),
    }


def command(session_dir: pathlib.Path, data_dir: str, tuner: str, max_trials: int) -> list[str]:
    """The command that starts or continues a session; its file of the space is written beside the session's folder."""
    space = session_dir.parent / "measured_space.py"
    space.write_text("from benchmarks.harness.tuner_sessions import BASE, choose as space\n", encoding="utf-8")
    return [
        sys.executable,
        "-m",
        "tuning.tune",
        f"--space={space}",
        f"--tuner={tuner}",
        f"--session_dir={session_dir}",
        f"--dataset={DATASET}",
        f"--data_dir={data_dir}",
        f"--max_epochs={MAX_EPOCHS}",
        *([] if tuner == "hyperband" else [f"--max_trials={max_trials}"]),  # hyperband's follow from its epochs
    ]
