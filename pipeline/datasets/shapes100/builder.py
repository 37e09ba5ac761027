"""TFDS builders of the generated data set shapes100, with the features and counts of CIFAR-100.

20 families of shapes and textures (coarse labels) in 5 variants each (fine labels), drawn by drawing.py. Importing this
module registers `shapes100` and `shapes100_tiny` with TFDS.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from pipeline.common import progress, seeds
from pipeline.datasets import canonical
from pipeline.datasets.shapes100.drawing import COARSE_NAMES, FINE_NAMES, FINE_TO_COARSE, SIZE, draw

__all__ = ["COARSE_NAMES", "FINE_NAMES", "FINE_TO_COARSE", "Shapes100", "Shapes100Tiny", "draw"]

SEED = 100  # another seed would be another data set, and need another VERSION
CHUNK_PER_CLASS = 5  # images of each class drawn at once; a chunk of all classes takes about 30 MB

_DESCRIPTION = """Procedurally drawn stand-in for CIFAR-100: 20 families of shapes and textures (coarse labels) in 5
variants each (fine labels), 32x32 in color. It is made for tests and for machines without the real data; accuracies
on it say nothing about CIFAR-100."""


class Shapes100(tfds.core.GeneratorBasedBuilder):
    """The full data set: 50,000 training and 10,000 test images."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First drawing."}  # noqa: RUF012  # TFDS declares this attribute so
    TRAIN_PER_CLASS = 500
    TEST_PER_CLASS = 100

    def __init__(
        self,
        splits: Mapping[str, Iterable[canonical.Example]] | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write the examples of `splits`, or without them draw the data set."""
        self._splits = splits
        super().__init__(data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "image": tfds.features.Image(shape=(SIZE, SIZE, 3)),
                    "label": tfds.features.ClassLabel(names=FINE_NAMES),
                    "coarse_label": tfds.features.ClassLabel(names=COARSE_NAMES),
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,  # the order is canonical already
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        per_class = {"train": self.TRAIN_PER_CLASS, "test": self.TEST_PER_CLASS}
        splits = self._splits or {name: draw_split(name, count) for name, count in per_class.items()}
        return {name: self._generate_examples(name, examples) for name, examples in splits.items()}

    def _generate_examples(
        self, split: str, examples: Iterable[canonical.Example]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        return canonical.tfds_examples(split, examples)


class Shapes100Tiny(Shapes100):
    """The first 20 training and 5 test images of each class of shapes100, for smoke tests."""

    TRAIN_PER_CLASS = 20
    TEST_PER_CLASS = 5


def draw_split(split: str, per_class: int) -> Iterator[canonical.Example]:
    """Draw the examples of a split, `per_class` a class."""
    with progress.task(f"drawing the images of {split}", per_class * len(FINE_NAMES), "images") as task:
        for chunk in range(per_class // CHUNK_PER_CLASS):
            for label, image in zip(*draw_chunk(split, chunk), strict=True):
                yield image, int(label), FINE_TO_COARSE[label]
                task.advance()


def draw_chunk(split: str, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels [500] and images [500, 32, 32, 3] of a chunk."""
    # One 64-bit seed per chunk: splits share no draw, and the tiny set begins like the full one.
    low, high = seeds.derive(SEED, "shapes100", split, chunk)
    generator = np.random.Generator(np.random.PCG64([low % 2**32, high % 2**32]))
    labels = np.tile(np.arange(len(FINE_NAMES)), CHUNK_PER_CLASS)
    return labels, draw(labels, generator)
