"""A source of images that TFDS has prepared on this machine: nothing is downloaded, nothing written to its folder."""

import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pipeline.datasets import images
from pipeline.datasets.conversion import tfds_folders
from pipeline.datasets.conversion.image_source import Item, SourceFile
from pipeline.datasets.conversion.messages import log
from pipeline.datasets.conversion.tfds_reader import TfdsReader
from pipeline.datasets.description import Classes


@dataclasses.dataclass(frozen=True)
class TfdsSource:
    """A source in a version folder of TFDS.

    Attributes:
      reader: of the folder.
      classes: of the labels.
      splits: number of items by split.
      tfds_splits: TFDS's name of each split.
      image_key, fine_key: the features that are the image and the label.
      values: what stands in the files for each class, in the order of the classes.
    """

    reader: TfdsReader
    classes: Classes
    splits: Mapping[str, int]
    tfds_splits: Mapping[str, str]
    image_key: str
    fine_key: str
    values: tuple[int, ...]
    notes: ClassVar[tuple[str, ...]] = ()  # `open_source` logs them

    @property
    def origin(self) -> str:
        """What it is."""
        return f"{self.reader.dataset} {self.reader.folder.name}, prepared by TFDS"

    @property
    def item_bytes(self) -> int:
        """The bytes of an example."""
        infos = [self.reader.info.splits[name] for name in self.tfds_splits.values()]
        return sum(info.num_bytes for info in infos) // sum(self.splits.values())

    def items(self, split: str, begin: int, end: int) -> Iterator[Item]:
        """The items of a split from the number `begin` to before `end`, in the order of the files."""
        name, classes = self.tfds_splits[split], {value: fine for fine, value in enumerate(self.values)}
        examples = self.reader.examples(name, (self.fine_key, self.image_key), begin, end)
        for place, example in enumerate(examples, begin):
            fine = classes.get(int(example[self.fine_key]))
            load = functools.partial(images.decode, example[self.image_key])
            yield Item(f"{name}[{place}]", fine or 0, _refuse_unlabelled if fine is None else load)

    def files(self) -> Iterator[SourceFile]:
        """All files of the version folder."""
        return tfds_folders.files(self.reader.folder)


def open_source(
    given: str, data_dir: str | os.PathLike[str], *, fine_key: str = "", coarse_key: str = ""
) -> TfdsSource:
    """The source NAME, NAME/CONFIG or either with :VERSION, as `tfds_folders.find` finds it.

    Args:
      given: the name.
      data_dir: where it is looked for first.
      fine_key: the feature that is the label; empty is the one that TFDS supervises.
      coarse_key: the feature that is the superclass; empty is none but for cifar100, whose `coarse_label` it is.

    Raises:
      errors.BadArgumentError: it is not prepared, has no image, label or "train", or a class has two superclasses.
      errors.FailedError: its files cannot be read.
    """
    reader = TfdsReader(f"tfds:{given}", tfds_folders.find(given, data_dir))
    log(f"{reader.dataset} is read from {reader.folder}, where nothing is written")
    image_key, fine_key = reader.image_key(), reader.label_key("fine_key", fine_key)
    if coarse_key or (reader.info.name == "cifar100" and "coarse_label" in reader.info.features):
        coarse_key = reader.label_key("coarse_key", coarse_key or "coarse_label")
    tfds_splits = reader.splits(fine_key)
    classes, values = reader.classes(tfds_splits.values(), fine_key, coarse_key)
    splits = {split: reader.info.splits[name].num_examples for split, name in tfds_splits.items()}
    return TfdsSource(reader, classes, splits, tfds_splits, image_key, fine_key, values)


def _refuse_unlabelled() -> images.Decoded:
    raise images.ImageError("has no label")
