"""Data: where examples come from, and how they are fed; the configurations of the pipeline."""

import dataclasses
import fractions
from typing import Any

from pipeline.augment.sets import SETS
from pipeline.common import errors
from pipeline.common.config import CHECKOUT, Composition, Config, Part, setting
from pipeline.datasets import labels, prepared
from pipeline.resolution import ResolutionSchedule

DATASETS = tuple(prepared.VERSIONS)
AUTO = "auto"
DEFAULTS_OF_DATASET: dict[str, dict[str, int]] = {"shapes100_tiny": {"num_validation": 500}}  # where others do not fit
LARGEST_DENOMINATOR = 10_000  # of the fraction of originals
SPLIT_FIELDS = ("dataset", "num_validation", "split_seed")  # of which examples a model has been kept from


def default_data_dir() -> str:
    """`data/` of the checkout, or of the working folder where the packages were installed away from a checkout."""
    return str(CHECKOUT / "data") if (CHECKOUT / "setup.py").exists() else "data"


@dataclasses.dataclass(frozen=True)
class SourceConfig(Config):
    """Where the examples come from."""

    dataset: str = setting(
        "cifar100",
        "data set; shapes100 and shapes100_tiny are generated. auto is cifar100 if it is prepared, given by --archive "
        "or can be downloaded, and otherwise shapes100",
        choices=(*DATASETS, AUTO),
    )
    data_dir: str = setting(
        default_data_dir(),
        "folder of prepared data sets; a data set that is missing there is prepared",
        identity=False,
        is_path=True,
    )
    archive: str = setting(
        "",
        "cifar-100-binary or cifar-100-python (.tar, .tar.gz, .tar.bz2, .tar.xz, .zip or folder) to prepare cifar100 "
        "from; empty downloads it. An already prepared cifar100 must have the same records",
        identity=False,
        is_path=True,
    )


@dataclasses.dataclass(frozen=True)
class WindowShuffle(Config):
    """Of a cache that is read in order: each pass over the examples is shuffled within a window."""

    shuffle_buffer: int = setting(10_000, "size of the shuffle buffer, in examples", low=1)


@dataclasses.dataclass(frozen=True)
class Originals(Config):
    """Of augmented training: which views are shown as they are."""

    unaugmented_fraction: float = setting(
        0.0, "fraction of each example's views without augmentation: 0, or 0.0001 or more", low=0.0, high=1.0
    )
    unaugmented_last_fraction: float = setting(
        0.0, "final fraction of the run's steps, trained without augmentation", low=0.0, high=1.0
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
        10_000,
        "number of training examples held out for validation, as many of each of the 100 classes; 0 trains on all; "
        "unless set, 500 of shapes100_tiny",
        low=0,
    )
    split_seed: int = setting(0, "random seed of the validation split", low=0)
    cache: str = setting(
        "memory",
        "cache of the decoded images: memory (154 MB for CIFAR-100; full shuffle), disk (the training images, in "
        "--data_dir) or none (images are decoded in each epoch)",
        parts={"memory": (), "disk": (Part(WindowShuffle),), "none": (Part(WindowShuffle),)},
    )
    batch_size: int = setting(256, "number of images per training step", low=1)
    virtual_examples: int = setting(
        0, "number of images per epoch, repeated ones included; 0 is each training example once", low=0
    )
    augmentation: str = setting(
        "flip_shift",
        "set of random transforms of the training images, pictured in docs/augmentation.md",
        parts={name: () if name == "none" else (Part(Originals),) for name in SETS},
    )
    resolutions: tuple[tuple[int, float], ...] = setting(
        (),
        "progressive resizing, SIZE:SHARE,... such as 20:0.15,24:0.35,32:0.5: image sizes in pixels, 8 to 32 and "
        "finally 32, and their shares of the steps, which sum to 1; empty is 32 throughout",
    )

    def __init__(self, *, part_values: tuple[tuple[str, Any], ...] = (), **values: Any) -> None:
        dataset = {**dict(part_values), **values}.get("dataset")
        super().__init__(part_values=(*DEFAULTS_OF_DATASET.get(str(dataset), {}).items(), *part_values), **values)

    def __post_init__(self) -> None:
        super().__post_init__()
        ResolutionSchedule.from_shares(self.resolutions)

    def num_train(self, num_official: int) -> int:
        """The number of training examples, of `num_official` that include those held out for validation.

        Raises:
          errors.BadArgumentError: `num_validation` does not fit.
        """
        if self.num_validation % labels.NUM_FINE or self.num_validation >= num_official:
            raise errors.BadArgumentError(
                f"num_validation={self.num_validation}: expected a multiple of {labels.NUM_FINE} (classes) below the "
                f"{num_official} training examples of {self.dataset}"
            )
        return num_official - self.num_validation

    def check_batch_size(self, num_train: int) -> None:
        """Raise errors.BadArgumentError for batches that are larger than the `num_train` training examples."""
        if self.batch_size > num_train:
            raise errors.BadArgumentError(
                f"batch_size={self.batch_size}: expected at most the {num_train} training examples; set a smaller "
                "--batch_size" + (" or --num_validation" if self.num_validation else "")
            )

    def check_held_out(self) -> None:
        """Raise errors.BadArgumentError where nothing is held out for validation."""
        if not self.num_validation:
            raise errors.BadArgumentError("num_validation=0: nothing is held out for validation; use --split=test")

    @property
    def unaugmented_share(self) -> fractions.Fraction:
        """`unaugmented_fraction` as the fraction that was meant: 0.0666667 is 1/15."""
        return _as_fraction(self.get("unaugmented_fraction", 0.0))


def _as_fraction(number: float) -> fractions.Fraction:
    return fractions.Fraction(str(number)).limit_denominator(LARGEST_DENOMINATOR)
