"""Data: where examples come from, and how they are fed; the configurations of the pipeline."""

import dataclasses
import fractions
from typing import Any

from pipeline import address
from pipeline.augment.sets import SETS
from pipeline.common import errors
from pipeline.common.config import CHECKOUT, Composition, Config, Part, own_settings, setting
from pipeline.common.process import memory
from pipeline.datasets import builtin, naming
from pipeline.datasets.description import Description
from pipeline.resolution import ResolutionSchedule

DATASETS = tuple(builtin.VERSIONS)
AUTO = "auto"
OWN_VALIDATION = -1  # num_validation: the data set's own validation split, otherwise VALIDATION_SHARE of train
VALIDATION_SHARE = fractions.Fraction(1, 5)
LARGEST_DENOMINATOR = 10_000  # of the fraction of originals
HELD_OUT_FIELDS = ("num_validation", "split_seed")  # of which examples of a data set a model was kept from
FORM_FIELDS = ("image_size", "fine_key", "coarse_key", "superclasses")  # of what is made of the images of a data set
SPLIT_FIELDS = ("dataset", "image_size", *HELD_OUT_FIELDS)


def default_data_dir() -> str:
    """`data/` of the checkout, or of the working folder where the packages were installed away from a checkout."""
    return str(CHECKOUT / "data") if (CHECKOUT / "setup.py").exists() else "data"


@dataclasses.dataclass(frozen=True)
class SourceConfig(Config):
    """Where the examples come from."""

    dataset: str = setting(
        "cifar100",
        "data set; shapes100 and shapes100_tiny are generated; folder:PATH is a folder of class folders of images, "
        "tfds:NAME one that TFDS has prepared on this machine. auto is cifar100 if it is prepared, given by --archive, "
        "in the cache of Keras or can be downloaded, and otherwise shapes100",
        choices=(*DATASETS, "folder:PATH", "tfds:NAME", AUTO),
    )
    image_size: int = setting(
        0,
        "width and height in pixels, to which images are resized once, during preparation; 0 keeps the size of square "
        "images of one size up to 224 (32 for CIFAR-100), and is 64 for others",
        low=0,
        high=512,
    )
    crop_size: int = setting(
        0,
        "width and height in pixels of the crop that the network takes: a random crop in training, the center crop in "
        "evaluation and with --augmentation=none; 0 is the whole image",
        low=0,
        high=512,
    )
    fine_key: str = setting("", "feature of a tfds: data set with the label; empty is its supervised key")
    coarse_key: str = setting("", "feature of a tfds: data set with the superclass; empty is none")
    superclasses: str = setting(
        "auto",
        "superclasses of a folder: data set; auto reads them from superclasses.csv, or from two levels of folders, "
        "where the inner ones have different names; none makes the outer folders the classes",
        choices=("auto", "none"),
    )
    data_dir: str = setting(
        default_data_dir(),
        "folder of prepared data sets; a data set that is missing there is prepared",
        identity=False,
        is_path=True,
    )
    archive: str = setting(
        "",
        "local copy of cifar100 or cifar10: the official binary or python archive (.tar, .tar.gz, .tar.bz2, .tar.xz, "
        ".zip or folder), a torchvision folder, or Parquet files of Hugging Face; empty takes the copy in Keras's "
        "cache, or downloads one. A data set that is already prepared must have the same records",
        identity=False,
        is_path=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "dataset", naming.absolute(self.dataset))
        naming.check(
            self.dataset, self.image_size, self.superclasses, fine_key=self.fine_key, coarse_key=self.coarse_key
        )
        if 0 < self.crop_size < naming.MIN_SIZE:
            raise errors.BadArgumentError(f"crop_size={self.crop_size}: expected 0, or {naming.MIN_SIZE} or more")
        if known := self.image_size or self._usual_size:
            self.input_size(known)

    def input_size(self, image_size: int) -> int:
        """Pixels each way of what the network takes of images that are prepared with `image_size` pixels each way.

        Raises:
          errors.BadArgumentError: `crop_size` is larger.
        """
        if self.crop_size > image_size:
            raise errors.BadArgumentError(
                f"crop_size={self.crop_size}: expected at most {image_size}, the size of the images; set a larger "
                "--image_size"
            )
        return self.crop_size or image_size

    def source_values(self) -> dict[str, Any]:
        """Name -> value of the fields of a SourceConfig, also where this is a larger configuration."""
        return {name: getattr(self, name) for name in own_settings(SourceConfig)}

    @property
    def prepared_name(self) -> str:
        """The data set's name in `data_dir`, as TFDS has it; `auto` stays."""
        return naming.prepared_name(self.dataset, self.image_size, self.fine_key, self.coarse_key, self.superclasses)

    @property
    def shown_name(self) -> str:
        """The data set's name in reports, without a path of this machine: `folder:flowers`."""
        return naming.shown_name(self.dataset)

    @property
    def _usual_size(self) -> int | None:
        """The size of the images of a built-in data set; None where only the prepared data have it."""
        return builtin.IMAGE_SIZE if self.dataset in (*DATASETS, AUTO) else None


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
        builtin.NUM_VALIDATION[builtin.CIFAR100],
        "number of training examples held out for validation, stratified by class; 0 trains on all; default for "
        "shapes100_tiny: 500; for your own images: their validation split, or 20 % of train",
        low=OWN_VALIDATION,
    )
    split_seed: int = setting(0, "random seed of the validation split", low=0)
    cache: str = setting(
        "memory",
        "cache of the decoded images: memory (154 MB for CIFAR-100; full shuffle), device (the same batches; the "
        "training images are kept in GPU memory, if there is a GPU, and each step gathers its batch there), disk (the "
        "training images, in --data_dir) or none (images are decoded in each epoch)",
        parts={"memory": (), "device": (), "disk": (Part(WindowShuffle),), "none": (Part(WindowShuffle),)},
    )
    data_service: str = setting(
        "",
        "HOST:PORT of a dispatcher of pipeline.data_service, whose workers produce the training batches of "
        "--cache=memory; empty produces them in this process",
        identity=False,
    )
    batch_size: int = setting(256, "number of images per training step", low=1)
    virtual_examples: int = setting(
        0, "number of images per epoch, repetitions included; 0 is each training example once", low=0
    )
    augmentation: str = setting(
        "flip_shift",
        "augmentation of the training images; docs/augmentation.md shows each set",
        parts={name: () if name == "none" else (Part(Originals),) for name in SETS},
    )
    resolutions: tuple[tuple[int, float], ...] = setting(
        (),
        "progressive resizing, SIZE:SHARE,... such as 20:0.15,24:0.35,32:0.5: image sizes in pixels, 8 to 32 and "
        "finally 32 (or --crop_size, or --image_size), and their shares of the steps, which sum to 1; empty is the "
        "last size throughout",
    )

    def __init__(self, *, part_values: tuple[tuple[str, Any], ...] = (), **values: Any) -> None:
        dataset = str({**dict(part_values), **values}.get("dataset", SourceConfig.dataset))
        known = builtin.NUM_VALIDATION | {AUTO: builtin.NUM_VALIDATION[builtin.CIFAR100]}
        num_validation = known.get(dataset, OWN_VALIDATION)
        super().__init__(part_values=(("num_validation", num_validation), *part_values), **values)

    def __post_init__(self) -> None:
        super().__post_init__()
        SourceConfig.__post_init__(self)
        if self.num_validation < 0 and self.dataset in (*DATASETS, AUTO):
            raise errors.BadArgumentError(f"num_validation={self.num_validation}: expected at least 0")
        if self.data_service:
            address.check("data_service", self.data_service, example="127.0.0.1:8710")
            if self.cache != "memory":
                raise errors.BadArgumentError(
                    f"data_service={self.data_service} and cache={self.cache}: its workers hold the images in memory; "
                    "leave --cache out"
                )
        size = self.crop_size or self.image_size or self._usual_size
        # Those of a preset end at the usual size; what they are fitted to is checked again with the data set.
        may_be_fitted = self.resolutions and self.resolutions[-1][0] == builtin.IMAGE_SIZE
        ResolutionSchedule.from_shares(self.resolutions, None if may_be_fitted else size)

    def split_sizes(self, description: Description) -> dict[str, int]:
        """The number of examples of "train", "validation" and "test", as this configuration splits a data set.

        By OWN_VALIDATION `OpenedData` holds out fewer where equal images, which stay together, leave no other choice.

        Raises:
          errors.BadArgumentError: `num_validation` does not fit.
        """
        official = description.num_examples
        train, validation = official["train"], self.num_validation
        if validation == OWN_VALIDATION:
            own = official.get("validation", 0)
            validation = own or int(train * VALIDATION_SHARE)
            train -= 0 if own else validation
        elif validation >= train:
            raise errors.BadArgumentError(
                f"num_validation={validation}: expected fewer than the {train} training examples of {self.shown_name}"
            )
        else:
            train -= validation
        return {"train": train, "validation": validation, "test": official.get("test", 0)}

    def check_memory(self, description: Description) -> None:
        """Raise errors.BadArgumentError where the decoded images do not fit into the memory that is free."""
        if not self.holds_images:
            return
        sizes = self.split_sizes(description)
        needed = (sizes["train"] + sizes["validation"]) * 3 * description.image_size**2
        free = memory.available_bytes()
        if needed > free:
            raise errors.BadArgumentError(
                f"cache={self.cache}: the images take {needed / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are free; "
                "set --cache=disk or --cache=none"
            )

    @property
    def holds_images(self) -> bool:
        """Whether all images are read once and then held, in the host's memory or the device's."""
        return self.cache in ("memory", "device")

    def check_batch_size(self, num_train: int) -> None:
        """Raise errors.BadArgumentError for batches that are larger than the `num_train` training examples."""
        if self.batch_size > num_train:
            raise errors.BadArgumentError(
                f"batch_size={self.batch_size}: expected at most the {num_train} training examples; set a smaller "
                "--batch_size"
            )

    @property
    def unaugmented_share(self) -> fractions.Fraction:
        """`unaugmented_fraction` as the fraction that was meant: 0.0666667 is 1/15."""
        return _as_fraction(self.get("unaugmented_fraction", 0.0))


def check_held_out(num_validation: int) -> None:
    """Raise errors.BadArgumentError where nothing is held out for validation."""
    if not num_validation:
        raise errors.BadArgumentError("num_validation=0: nothing is held out for validation; use --split=test")


def _as_fraction(number: float) -> fractions.Fraction:
    return fractions.Fraction(str(number)).limit_denominator(LARGEST_DENOMINATOR)
