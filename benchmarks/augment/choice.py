"""The names of what `benchmarks.augment` can measure. Needs no TensorFlow."""

from collections.abc import Sequence

from pipeline.augment.sets import SETS
from pipeline.common import config, errors

TRANSFORMS = (
    "HorizontalFlip",
    "VerticalFlip",
    "AlternatingFlip",
    "Shift",
    "Crop",
    "Cutout",
    "RandomErasing",
    "Rotation",
    "Shear",
    "Zoom",
    "Translation",
    "ChannelShift",
    "ColorJitter",
    "Grayscale",
    "MixUp",
    "CutMix",
    "MixUpOrCutMix",
    "TrivialAugmentWide",
    "RandAugment",
    "AugMix",
)
NAMES = (*SETS, *TRANSFORMS)


def check(chosen: Sequence[str]) -> None:
    """Raise errors.BadArgumentError where there is no set or transform of a name."""
    for name in chosen:
        if name not in NAMES:
            hint = config.nearest(name, set(NAMES))
            raise errors.BadArgumentError(f"sets={name!r}: expected some of {', '.join(NAMES)}{hint}")
