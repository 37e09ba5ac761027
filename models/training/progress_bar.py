"""Keras's progress bar with the few metrics that fit a line."""

from collections.abc import Mapping

import keras

SHOWN = {
    "images_per_s": "images/s",
    "loss": "loss",
    "fine_accuracy": "fine",
    "coarse_accuracy": "coarse",
    "val_fine_accuracy": "val fine",
    "val_coarse_accuracy": "val coarse head",
}


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Shows steps, time left, images a second and the running accuracies; at an epoch's end also validation's."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Advance by a step."""
        super().on_train_batch_end(batch, _shown(logs))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Close the epoch's line."""
        super().on_epoch_end(epoch, _shown(logs))


def _shown(logs: Mapping[str, float] | None) -> dict[str, float]:
    return {short: logs[name] for name, short in SHOWN.items() if logs and name in logs}
