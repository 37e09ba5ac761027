"""The named sets of transforms behind `--augmentation`."""

from pipeline.augment.augmix import AugMix
from pipeline.augment.channel_shift import ChannelShift
from pipeline.augment.color_jitter import ColorJitter
from pipeline.augment.composition import fused
from pipeline.augment.crop import Crop
from pipeline.augment.cutout import Cutout
from pipeline.augment.erasing import RandomErasing
from pipeline.augment.flip import AlternatingFlip, HorizontalFlip, VerticalFlip
from pipeline.augment.grayscale import Grayscale
from pipeline.augment.layer import Augmentation
from pipeline.augment.mixup_or_cutmix import MixUpOrCutMix
from pipeline.augment.rand_augment import RandAugment
from pipeline.augment.rotation import Rotation
from pipeline.augment.shear import Shear
from pipeline.augment.shift import Shift
from pipeline.augment.translation import Translation
from pipeline.augment.trivial_augment import TrivialAugmentWide
from pipeline.augment.zoom import Zoom


def build(name: str) -> tuple[Augmentation, ...]:
    """The transforms of a set, in the order that they are applied; the names are `data_config.AUGMENTATIONS`."""
    return fused(_SETS[name]())


def _flip_crop() -> tuple[Augmentation, ...]:
    return HorizontalFlip(), Crop(size=32, padding=4)


def _study(max_shear_degrees: float) -> tuple[Augmentation, ...]:
    """`ImageDataGenerator`'s order, but for the flips, which it makes last and which commute with its channel shift."""
    return (
        Rotation(max_degrees=90.0),
        Shear(max_degrees=max_shear_degrees),
        Zoom(max_fraction=0.2),
        HorizontalFlip(),
        VerticalFlip(),
        ChannelShift(max_fraction=0.2),
    )


_SETS = {
    "none": lambda: (),
    # Of the fast recipes.
    "flip_shift": lambda: (HorizontalFlip(), Shift(max_pixels=2)),
    "alternating_flip_shift": lambda: (AlternatingFlip(), Shift(max_pixels=2)),
    # ... and of those that train for longer (airbench96).
    "alternating_flip_shift_cutout": lambda: (AlternatingFlip(), Shift(max_pixels=4), Cutout(pixels=8)),
    # The standard of the papers on CIFAR (He et al. 2015), and with cutout.
    "flip_crop": _flip_crop,
    "flip_crop_cutout": lambda: (*_flip_crop(), Cutout(pixels=8)),
    # Colour alone, strong; and the policies that draw an operation for each image.
    "color": lambda: (*_flip_crop(), ColorJitter(), Grayscale(probability=0.1), RandomErasing(probability=0.5)),
    "trivial_augment": lambda: (*_flip_crop(), TrivialAugmentWide(), Cutout(pixels=8)),
    "rand_augment": lambda: (*_flip_crop(), RandAugment(), Cutout(pixels=8)),
    "augmix": lambda: (*_flip_crop(), AugMix()),
    # For long trainings of large networks: all that the papers combine.
    "modern": lambda: (*_flip_crop(), TrivialAugmentWide(), MixUpOrCutMix(mixup_alpha=0.2, cutmix_alpha=1.0)),
    # The study's, as its generator meant it: a shear of 0.2 degrees; and with the 0.2 radians it may have wanted.
    "study": lambda: _study(max_shear_degrees=0.2),
    "study_sheared": lambda: _study(max_shear_degrees=11.5),
    # The study names these four for its coarse model and no ranges; these are ours, mild, since it has no flips.
    "study_coarse": lambda: (
        Rotation(max_degrees=15.0),
        Translation(max_fraction=0.125),
        Shear(max_degrees=10.0),
        ChannelShift(max_fraction=0.1),
    ),
}
