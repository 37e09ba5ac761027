"""TFDS's CIFAR-100 builder, reading validated records instead of a download.

Both official forms give the same data set, `cifar100/3.0.2`, which `tfds.builder("cifar100", data_dir=...)` reads
without this package.
"""

import os
import pathlib
import types
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.image_classification import cifar

from pipeline.datasets import labels, png
from pipeline.datasets.archive import Archive


class Cifar100(cifar.Cifar100, skip_registration=True):  # type: ignore[call-arg]
    """TFDS's builder of the same name, with uncompressed PNGs, from a local archive."""

    def __init__(self, archive: Archive, *, data_dir: str | os.PathLike[str]) -> None:
        self._archive = archive
        super().__init__(data_dir=data_dir)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        # The parent reads files of the official layout. They are written within prepared.staging, which is removed.
        folder = pathlib.Path(self.data_dir).parent / "source"
        _write_binary_form(self._archive, folder / "cifar-100-binary")
        return super()._split_generators(types.SimpleNamespace(download_and_extract=lambda _url: str(folder)))

    def _generate_examples(self, *arguments: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        for key, example in super()._generate_examples(*arguments):
            yield key, {**example, "image": png.encode(example["image"])}


def _write_binary_form(archive: Archive, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True)
    for name, records in (("train.bin", archive.train), ("test.bin", archive.test)):
        (folder / name).write_bytes(records.rows.data)
    for name, names in (("fine", labels.FINE_NAMES), ("coarse", labels.COARSE_NAMES)):
        (folder / f"{name}_label_names.txt").write_text("".join(f"{line}\n" for line in names), encoding="utf-8")
