"""TFDS's builders of CIFAR-100 and CIFAR-10, writing validated records in canonical order instead of a download.

The data sets are `cifar100/3.0.2` and `cifar10/3.0.2`; `tfds.builder(NAME, data_dir=...)` reads them without this
package.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.image_classification import cifar

from pipeline.datasets import canonical
from pipeline.datasets.cifar.spec import SPECS


class _Writer(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A builder of uncompressed PNGs from the examples of each split."""

    def __init__(self, splits: Mapping[str, Iterable[canonical.Example]], *, data_dir: str | os.PathLike[str]) -> None:
        self._splits = splits
        super().__init__(data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        info = super()._info()
        info.as_proto.disable_shuffling = True  # the order is canonical already
        for level, names in SPECS[self.name].classes.names.items():
            info.features[canonical.FEATURES[level]].names = names
        return info

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        has_coarse = canonical.FEATURES["coarse"] in self.info.features
        return {
            name: canonical.tfds_examples(name, examples, has_coarse=has_coarse)
            for name, examples in self._splits.items()
        }


class Cifar100(_Writer, cifar.Cifar100, skip_registration=True):  # type: ignore[call-arg]
    """TFDS's builder of the same name."""


class Cifar10(_Writer, cifar.Cifar10, skip_registration=True):  # type: ignore[call-arg]
    """TFDS's builder of the same name."""


BUILDERS = {"cifar100": Cifar100, "cifar10": Cifar10}
