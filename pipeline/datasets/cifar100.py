"""TFDS's CIFAR-100 builder, writing validated records in canonical order instead of a download.

The data set is `cifar100/3.0.2`, which `tfds.builder("cifar100", data_dir=...)` reads without this package.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.image_classification import cifar

from pipeline.datasets import canonical, labels


class Cifar100(cifar.Cifar100, skip_registration=True):  # type: ignore[call-arg]
    """TFDS's builder of the same name, with uncompressed PNGs, from the examples of each split."""

    def __init__(self, splits: Mapping[str, Iterable[canonical.Example]], *, data_dir: str | os.PathLike[str]) -> None:
        self._splits = splits
        super().__init__(data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        info = super()._info()
        info.as_proto.disable_shuffling = True  # the order is canonical already
        info.features["label"].names = labels.FINE_NAMES
        info.features["coarse_label"].names = labels.COARSE_NAMES
        return info

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {name: canonical.tfds_examples(name, examples) for name, examples in self._splits.items()}
