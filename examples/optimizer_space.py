"""Search a space of your own: which optimizer, at which learning rate, with which augmentation.

    python -m tuning.tune --space=examples/optimizer_space.py --dataset=shapes100_tiny --tuner=random \
        --max_trials=3 --max_epochs=4

`python examples/optimizer_space.py` runs this command; further flags are appended to it. The session's folder,
runs/sessions/optimizer_space-random-shapes100_tiny, has the report of the trials and best.json, the configuration of
the best one for `python -m models.train --config=`.
"""

import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

FLAGS = ("--dataset=shapes100_tiny", "--tuner=random", "--max_trials=3", "--max_epochs=4")

# The fields that all trials share, named as the flags of `python -m models.train`. The tuner maximises the accuracy on
# the held-out images: 500 of the 2,000 here, 10,000 by default.
BASE = {"preset": "quick", "num_validation": 500}


def space(hp: "HyperParameters") -> dict[str, Any]:
    """The fields of one trial. The tuner calls this function with a proposal, and trains the returned configuration."""
    values: dict[str, Any] = {"optimizer": hp.Choice("optimizer", ["sgd", "adam"])}
    # A hyperparameter inside an `if` exists only in the trials of that branch. A name has one range, so each learning
    # rate has its own name.
    if values["optimizer"] == "sgd":
        values["momentum"] = hp.Choice("momentum", [0.8, 0.85, 0.9])
        values["learning_rate"] = hp.Float("sgd_learning_rate", 0.3, 3.0, sampling="log")
    else:
        values["learning_rate"] = hp.Float("adam_learning_rate", 5e-4, 5e-3, sampling="log")
    values["augmentation"] = hp.Choice("augmentation", ["none", "flip_shift", "flip_crop"])
    return values


def main() -> int:
    """Run the command above, and return its exit code."""
    command = [sys.executable, "-m", "tuning.tune", f"--space={__file__}", *FLAGS, *sys.argv[1:]]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
