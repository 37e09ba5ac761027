"""Data: where examples come from, and how they are fed; the configurations of the pipeline."""

import dataclasses
import fractions
import pathlib

from pipeline.augment.sets import SETS
from pipeline.common import errors
from pipeline.common.config import CHECKOUT, Composition, Config, Part, setting
from pipeline.resolution import ResolutionSchedule

DATASETS = ("cifar100", "shapes100", "shapes100_tiny")
AUTO = "auto"
LARGEST_DENOMINATOR = 10_000  # of the fraction of originals
SPLIT_FIELDS = ("dataset", "num_validation", "split_seed")  # of which examples a model has been kept from


def default_data_dir() -> str:
    """`data/` of the checkout, or of the working folder where the packages were installed away from a checkout."""
    return str((CHECKOUT if (CHECKOUT / "setup.py").exists() else pathlib.Path.cwd()) / "data")


@dataclasses.dataclass(frozen=True)
class SourceConfig(Config):
    """Where the examples come from."""

    dataset: str = setting(
        "cifar100",
        "data set; auto is cifar100 if it is prepared, named by --archive or can be downloaded, else shapes100",
        choices=(*DATASETS, AUTO),
    )
    data_dir: str = setting(default_data_dir(), "folder of prepared data sets", identity=False)
    archive: str = setting(
        "",
        "cifar-100-binary or cifar-100-python, .tar.gz or extracted folder; read if cifar100 is not prepared yet",
        identity=False,
    )


@dataclasses.dataclass(frozen=True)
class WindowShuffle(Config):
    """Of a cache that is read in order: each pass over the examples is shuffled within a window."""

    shuffle_buffer: int = setting(10_000, "size of the shuffle buffer, in examples", low=1)


@dataclasses.dataclass(frozen=True)
class Originals(Config):
    """Of augmented training: which views are shown as they are."""

    unaugmented_fraction: float = setting(
        0.0, "fraction of the views of each example that are shown without augmentation", low=0.0, high=1.0
    )
    unaugmented_last_fraction: float = setting(
        0.0, "fraction of the run's steps, at its end, that train without augmentation", low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unaugmented_fraction and not _as_fraction(self.unaugmented_fraction):
            raise errors.BadArgumentError(
                f"unaugmented_fraction={self.unaugmented_fraction}: expected 0 or at least {1 / LARGEST_DENOMINATOR}"
            )


@dataclasses.dataclass(frozen=True, init=False)
class DataConfig(Composition, SourceConfig):
    """How the examples are split, cached, shuffled, batched and augmented on their way to the device."""

    num_validation: int = setting(
        10_000, "training examples held out for validation, a multiple of 100, equally many of each class", low=0
    )
    split_seed: int = setting(0, "random seed of the validation split", low=0)
    cache: str = setting(
        "memory",
        "cache of the decoded images: memory (123 MB; each epoch is fully shuffled), disk (as much, "
        "beside the prepared data) or none (decoded again in each epoch)",
        parts={"memory": (), "disk": (Part(WindowShuffle),), "none": (Part(WindowShuffle),)},
    )
    batch_size: int = setting(256, "examples per step", low=1)
    virtual_examples: int = setting(0, "augmented views per epoch; 0 is one view of each training example", low=0)
    augmentation: str = setting(
        "flip_shift",
        "named set of random transforms, applied on the device",
        parts={name: () if name == "none" else (Part(Originals),) for name in SETS},
    )
    resolutions: tuple[tuple[int, float], ...] = setting(
        (),
        "progressive resizing: SIZE:SHARE,... trains on SIZE x SIZE pixels for that share of the steps, "
        "in this order, such as 20:0.15,24:0.35,32:0.5; sizes are 8 to 32, the last one 32; empty is 32 throughout",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        ResolutionSchedule.from_shares(self.resolutions)

    @property
    def unaugmented_share(self) -> fractions.Fraction:
        """`unaugmented_fraction` as the fraction that was meant: 0.0666667 is 1/15."""
        return _as_fraction(self.get("unaugmented_fraction", 0.0))


def _as_fraction(number: float) -> fractions.Fraction:
    return fractions.Fraction(str(number)).limit_denominator(LARGEST_DENOMINATOR)
