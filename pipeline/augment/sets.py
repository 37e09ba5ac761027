"""The named sets of transforms behind `--augmentation`."""

from pipeline.augment.flip import HorizontalFlip
from pipeline.augment.layer import Augmentation
from pipeline.augment.shift import Shift


def build(name: str) -> tuple[Augmentation, ...]:
    """The transforms of a set, in the order that they are applied; the names are `data_config.AUGMENTATIONS`."""
    return {
        "none": lambda: (),
        "flip_shift": lambda: (HorizontalFlip(), Shift(max_pixels=2)),
    }[name]()
