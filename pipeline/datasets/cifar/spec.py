"""What a copy of CIFAR-100 or CIFAR-10 holds: its files, labels, counts, colors and checksums."""

import dataclasses
from collections.abc import Mapping

from pipeline.datasets import labels
from pipeline.datasets.description import Classes

PIXELS = 3 * 32 * 32


@dataclasses.dataclass(frozen=True)
class Form:
    """An official form of a data set.

    Attributes:
      name: of its folder.
      splits: the files of records of each split, "train" and "test".
      label_names: the files of label names, and the levels of labels that each is about.
      is_pickled: whether the files are pickles; otherwise they are records without a header and lines of text.
    """

    name: str
    splits: Mapping[str, tuple[str, ...]]
    label_names: Mapping[str, tuple[str, ...]]
    is_pickled: bool = False

    @property
    def record_files(self) -> tuple[str, ...]:
        """The files of records of all splits."""
        return tuple(name for names in self.splits.values() for name in names)

    @property
    def files(self) -> tuple[str, ...]:
        """All files."""
        return (*self.record_files, *self.label_names)


@dataclasses.dataclass(frozen=True)
class Spec:
    """The expected contents of a data set; tests use small ones.

    Attributes:
      name: as `--dataset` takes it, and TFDS.
      title: as people call it.
      url: where the archive of the first form is downloaded from.
      classes: of its labels.
      forms: the official forms.
      train_per_class, test_per_class: images of each class.
      channel_means: of the training images, red green blue, 0 to 1.
      mean_tolerance: how far from them the means of a copy may be.
      sha256: the checksum of each official archive, that of `url` first.
      records_sha1: the checksums of the files of records of the first form, whatever form a copy has.
    """

    name: str
    title: str
    url: str
    classes: Classes
    forms: tuple[Form, ...]
    train_per_class: int
    test_per_class: int
    channel_means: tuple[float, float, float]
    mean_tolerance: float
    sha256: Mapping[str, str]
    records_sha1: Mapping[str, str]

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of labels, in the order of their bytes in a record."""
        return tuple(self.classes.names)[::-1]

    @property
    def record_bytes(self) -> int:
        """The size of a record of the binary form."""
        return len(self.levels) + PIXELS

    @property
    def files(self) -> frozenset[str]:
        """The files of all forms."""
        return frozenset(name for form in self.forms for name in form.files)

    def field(self, level: str, what: str) -> str:
        """The name of a field of a level, such as fine_labels; labels where there is one level."""
        return f"{level}_{what}" if len(self.levels) > 1 else what

    def form_of(self, file_name: str) -> Form:
        """The form that has a file."""
        return next(form for form in self.forms if file_name in form.files)

    def num_records(self, split: str) -> int:
        """The number of images of a split."""
        return len(self.classes.fine) * (self.train_per_class if split == "train" else self.test_per_class)

    def num_records_in(self, file_name: str) -> int:
        """The number of images in a file of records."""
        splits = self.form_of(file_name).splits
        return next(self.num_records(split) // len(names) for split, names in splits.items() if file_name in names)


_HOST = "https://www.cs.toronto.edu/~kriz"
CIFAR100 = Spec(
    name="cifar100",
    title="CIFAR-100",
    url=f"{_HOST}/cifar-100-binary.tar.gz",
    classes=Classes(labels.FINE_NAMES, labels.COARSE_NAMES, labels.FINE_TO_COARSE),
    forms=(
        Form(
            "cifar-100-binary",
            {"train": ("train.bin",), "test": ("test.bin",)},
            {"fine_label_names.txt": ("fine",), "coarse_label_names.txt": ("coarse",)},
        ),
        Form("cifar-100-python", {"train": ("train",), "test": ("test",)}, {"meta": ("fine", "coarse")}, True),
    ),
    train_per_class=500,
    test_per_class=100,
    channel_means=(0.5071, 0.4865, 0.4409),
    mean_tolerance=0.005,
    sha256={
        "cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        "cifar-100-python.tar.gz": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    },
    # As published with MXNet's readers of the binary forms; they identify an extracted folder too.
    records_sha1={
        "train.bin": "e207cd2e05b73b1393c74c7f5e7bea451d63e08e",
        "test.bin": "8fb6623e830365ff53cf14adec797474f5478006",
    },
)
_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR10 = Spec(
    name="cifar10",
    title="CIFAR-10",
    url=f"{_HOST}/cifar-10-binary.tar.gz",
    classes=Classes(labels.CIFAR10_NAMES),
    forms=(
        Form(
            "cifar-10-batches-bin",
            {"train": tuple(f"{name}.bin" for name in _BATCHES), "test": ("test_batch.bin",)},
            {"batches.meta.txt": ("fine",)},
        ),
        Form("cifar-10-batches-py", {"train": _BATCHES, "test": ("test_batch",)}, {"batches.meta": ("fine",)}, True),
    ),
    train_per_class=5000,
    test_per_class=1000,
    channel_means=(0.4914, 0.4822, 0.4465),
    mean_tolerance=0.005,
    sha256={
        "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    },
    records_sha1={
        "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
        "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
        "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
        "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
        "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
        "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
    },
)
SPECS = {spec.name: spec for spec in (CIFAR100, CIFAR10)}
