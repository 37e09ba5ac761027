"""Former names of fields and values, which files of earlier versions still contain."""

from collections.abc import Mapping
from typing import Any

FIELDS = {
    "average_decay": "ema_decay",
    "muon_rate_ratio": "muon_lr_multiplier",
    "offset_rate_ratio": "bias_lr_multiplier",
    "original_fraction": "unaugmented_fraction",
    "thaw_last_block": "unfreeze_last_block",
    "trunk_run_dir": "init_from",
    "unaugmented_ending": "unaugmented_last_fraction",
}
VALUES = {
    "architecture": {
        "fast": "speedrun",
        "residual": "resnet9",
        "resnet": "resnet18",
        "study_cnn": "original_cnn",
        "study_net": "original_net",
    },
    "augmentation": {"study": "original", "study_coarse": "original_coarse", "study_sheared": "original_sheared"},
    "preset": {
        "study_cnn": "original_cnn",
        "study_coarse": "original_coarse",
        "study_coarse_transferred": "original_coarse_transferred",
        "study_fine": "original_fine",
        "study_model_1": "original_model_1",
    },
    "space": {"study": "original"},
}


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under today's names."""
    today = {FIELDS.get(name, name): value for name, value in values.items()}
    return {
        name: VALUES.get(name, {}).get(value, value) if isinstance(value, str) else value
        for name, value in today.items()
    }
