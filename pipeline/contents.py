"""Digests of the contents of a prepared data set, from which its validation split and its fingerprints follow."""

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from pipeline.common import progress
from pipeline.data_config import SourceConfig
from pipeline.datasets import digest_cache, integrity, png, prepared
from pipeline.datasets.canonical import Digests, Example, Fingerprints
from pipeline.datasets.description import Description

SPLITS = ("train", "test", "validation")  # that a data set may have


def read(folder: pathlib.Path) -> dict[str, Digests]:
    """The digests of each official split of the data set in a version folder, in the order of its files.

    They are read from the images once, which takes seconds, and kept in the folder as long as its files stay the same.
    """
    splits = digest_cache.read(folder)
    if splits is None:
        with integrity.reading(folder):
            splits = {name: Digests.of(examples(folder, name)) for name in splits_of(folder)}
        digest_cache.write(folder, splits)
    return splits


def examples(folder: pathlib.Path, split: str) -> Iterator[Example]:
    """The examples of a split of the data set in a version folder, in the order of its files.

    The coarse label is 0 where the data set has one level of labels.
    """
    import tensorflow_datasets as tfds

    from pipeline import source

    builder = tfds.builder_from_directory(folder)
    with progress.task(f"reading the images of {split}", source.num_examples(builder, split), "images") as task:
        for chunk in source.read(builder, split).as_numpy_iterator():
            coarse_labels = chunk.get("coarse", np.zeros_like(chunk["fine"]))
            for image, fine, coarse in zip(chunk["image"], chunk["fine"], coarse_labels, strict=True):
                yield png.decode(image), int(fine), int(coarse)
            task.advance(len(chunk["fine"]))


def describe(config: SourceConfig, fingerprints: Fingerprints) -> Description:
    """What the prepared data set of a configuration says of itself."""
    description = prepared.description(config.data_dir, config.prepared_name)
    return dataclasses.replace(description, fingerprints=fingerprints)


def splits_of(folder: pathlib.Path) -> tuple[str, ...]:
    """Those of SPLITS that the data set in a version folder has."""
    record_files = [path.name.partition(".tfrecord")[0] for path in folder.glob("*.tfrecord*")]
    return tuple(name for name in SPLITS if any(stem.endswith(f"-{name}") for stem in record_files))


def fingerprints(folder: pathlib.Path) -> Fingerprints:
    """The fingerprints of the data set in a version folder."""
    return Fingerprints.of(read(folder))
