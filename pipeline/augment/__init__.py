"""Augmentation on the device: transforms are Keras layers that draw per image and apply to a batch.

Modules hold transforms of one kind, and are imported at first use: `augment.Crop`.
"""

import sys
import types
from typing import Any, cast

from pipeline.common import lazy

# Modules of earlier versions, and where their transforms are now. Nothing here imports the former names; code outside
# of this repository does, at least `pipeline.augment.cutmix`.
FORMER_MODULES = {
    **dict.fromkeys(("augmix", "rand_augment", "trivial_augment"), "policies"),
    **dict.fromkeys(("channel_shift", "color_jitter", "grayscale"), "color"),
    **dict.fromkeys(("crop", "shift"), "windows"),
    **dict.fromkeys(("cutmix", "mixup", "mixup_or_cutmix"), "mixing"),
    "cutout": "erasing",
    **dict.fromkeys(("flip", "rotation", "shear", "translation", "zoom"), "geometric"),
}
for former, today in FORMER_MODULES.items():
    sys.modules[f"{__name__}.{former}"] = cast(types.ModuleType, lazy.LazyModule(f"{__name__}.{today}"))


def __getattr__(name: str) -> Any:
    if name in FORMER_MODULES:
        return sys.modules[f"{__name__}.{name}"]
    return lazy.package_attribute(__name__, __path__, name)
