"""The named sets of transforms behind `--augmentation`. Transforms are imported when a set is built."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from pipeline import augment

if TYPE_CHECKING:  # `--help` names the sets, and must not import TensorFlow
    from pipeline.augment.layer import Augmentation

Transforms: TypeAlias = "tuple[Augmentation, ...]"


def build(name: str, image_size: int, crop_size: int = 0) -> "Transforms":
    """The transforms of a set for images of this size, in the order that they are applied.

    The names are the keys of SETS, whose lengths are of images of 32 pixels. Of images larger than a `crop_size` that
    is not 0, a random window comes first, in place of the set's own shift or crop; `none` stays empty.
    """
    from pipeline.augment.composition import fused

    if name not in SETS:
        raise ValueError(f"augmentation={name!r}: expected one of {', '.join(SETS)}")
    size = crop_size or image_size
    transforms = tuple(transform.for_image_size(size) for transform in SETS[name]())
    if transforms and size < image_size:
        rest = (transform for transform in transforms if not isinstance(transform, augment.Shift | augment.Crop))
        transforms = (augment.Crop(size, padding=0), *rest)
    return fused(transforms)


def _flip_crop() -> "Transforms":
    return augment.HorizontalFlip(), augment.Crop(size=32, padding=4)


def _original(max_shear_degrees: float) -> "Transforms":
    """`ImageDataGenerator`'s order, but for the flips, which it makes last and which commute with its channel shift."""
    return (
        augment.Rotation(max_degrees=90.0),
        augment.Shear(max_degrees=max_shear_degrees),
        augment.Zoom(max_fraction=0.2),
        augment.HorizontalFlip(),
        augment.VerticalFlip(),
        augment.ChannelShift(max_fraction=0.2),
    )


SETS: dict[str, Callable[[], Transforms]] = {
    "none": lambda: (),
    # Of the fast recipes.
    "flip_shift": lambda: (augment.HorizontalFlip(), augment.Shift(max_pixels=2)),
    "alternating_flip_shift": lambda: (augment.AlternatingFlip(), augment.Shift(max_pixels=2)),
    # ... and of those that train for longer (airbench96).
    "alternating_flip_shift_cutout": lambda: (
        augment.AlternatingFlip(),
        augment.Shift(max_pixels=4),
        augment.Cutout(pixels=8),
    ),
    # The standard of the papers on CIFAR (He et al. 2015), and with cutout.
    "flip_crop": _flip_crop,
    "flip_crop_cutout": lambda: (*_flip_crop(), augment.Cutout(pixels=8)),
    # Color alone, strong; and the policies that draw an operation for each image.
    "color": lambda: (
        *_flip_crop(),
        augment.ColorJitter(),
        augment.Grayscale(probability=0.1),
        augment.RandomErasing(probability=0.5),
    ),
    "trivial_augment": lambda: (*_flip_crop(), augment.TrivialAugmentWide(), augment.Cutout(pixels=8)),
    "rand_augment": lambda: (*_flip_crop(), augment.RandAugment(), augment.Cutout(pixels=8)),
    "augmix": lambda: (*_flip_crop(), augment.AugMix()),
    # For long trainings of large networks: all that the papers combine.
    "modern": lambda: (
        *_flip_crop(),
        augment.TrivialAugmentWide(),
        augment.MixUpOrCutMix(mixup_alpha=0.2, cutmix_alpha=1.0),
    ),
    # The study's, as its generator meant it: a shear of 0.2 degrees; and with the 0.2 radians it may have wanted.
    "original": lambda: _original(max_shear_degrees=0.2),
    "original_sheared": lambda: _original(max_shear_degrees=11.5),
    # The study names these four for its coarse model and no ranges; these are ours, mild, since it has no flips.
    "original_coarse": lambda: (
        augment.Rotation(max_degrees=15.0),
        augment.Translation(max_fraction=0.125),
        augment.Shear(max_degrees=10.0),
        augment.ChannelShift(max_fraction=0.1),
    ),
}
