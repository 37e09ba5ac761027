"""How others would feed the same images to a training step, each as its documentation says; absent ones are named.

The study's arrays, Keras's `PyDataset`, PyTorch's `DataLoader`, Google's Grain, NVIDIA's DALI.
"""

import dataclasses
import functools
import importlib.util
import itertools
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.input_sides import Feed
from pipeline import processors


@dataclasses.dataclass(frozen=True)
class Optional:
    """A peer that may be absent: its module, what it is in words, and the extra of this distribution that has it."""

    module: str
    words: str
    extra: str

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported; it is not."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # of a package around it
            return False


TORCH = Optional("torch", "PyTorch's DataLoader", "peers")
GRAIN = Optional("grain", "Google's Grain", "peers")
DALI = Optional("nvidia.dali", "NVIDIA's DALI", "dali")


def missing() -> list[Optional]:
    """Those that are not installed."""
    return [peer for peer in (TORCH, GRAIN, DALI) if not peer.is_installed]


def feeds(images: np.ndarray, labels: np.ndarray, batch_size: int) -> list[Feed]:
    """Every peer that is there.

    Args:
      images: uint8 [N, 32, 32, 3].
      labels: int32 [N].
      batch_size: of the batches.
    """
    found = [
        Feed("peer/tf_data/study_arrays", lambda: _arrays(_unit(images), labels, batch_size), batch_size),
        Feed("peer/tf_data/uint8_arrays", lambda: _arrays(images, labels, batch_size), batch_size),
        Feed("peer/keras/pydataset", lambda: _pydataset(images, labels, batch_size), batch_size),
    ]
    if TORCH.is_installed:
        for workers in (0, 2):
            make = functools.partial(_torch, images, labels, batch_size, workers)
            found.append(Feed(f"peer/pytorch/dataloader/workers_{workers}", make, batch_size))
        bulk = functools.partial(_torch_bulk, images, labels, batch_size)
        found.append(Feed("peer/pytorch/dataloader/bulk", bulk, batch_size))
    if GRAIN.is_installed:
        found.append(Feed("peer/grain/map_dataset", lambda: _grain(images, labels, batch_size), batch_size))
    if DALI.is_installed and TORCH.is_installed:
        found.append(Feed("peer/dali/generic_iterator", lambda: _dali(images, labels, batch_size), batch_size))
    return found


def _unit(images: np.ndarray) -> np.ndarray:
    """As the study kept its images: float32 of 0 to 1."""
    return images.astype(np.float32) / 255


def _arrays(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """Arrays in memory, shuffled whole by tf.data."""
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    return iter(dataset.shuffle(len(images)).repeat().batch(batch_size).prefetch(tf.data.AUTOTUNE))


class _Sequence(keras.utils.PyDataset):
    """Batches of arrays, shuffled once a pass."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int) -> None:
        super().__init__()
        self._images, self._labels, self._batch_size = images, labels, batch_size
        self._random = np.random.default_rng(0)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.floor(len(self._images) / self._batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        return self._images[chosen], self._labels[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self._order = self._random.permutation(len(self._images))


def _pydataset(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """As `fit` consumes it."""
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    adapter = PyDatasetAdapter(_Sequence(images, labels, batch_size))
    while True:
        adapter.on_epoch_begin()
        yield from adapter.get_tf_dataset()
        adapter.on_epoch_end()


def _torch(images: np.ndarray, labels: np.ndarray, batch_size: int, num_workers: int) -> Iterator[Any]:
    from torch.utils.data import DataLoader

    loader = DataLoader(
        _torch_dataset(images, labels),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
    )
    return itertools.chain.from_iterable(itertools.repeat(loader))


def _torch_bulk(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """With automatic batching disabled, as its documentation says of data sets that are read in bulk."""
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler

    dataset = _torch_dataset(images, labels)
    sampler = BatchSampler(RandomSampler(dataset), batch_size=batch_size, drop_last=True)
    loader = DataLoader(dataset, sampler=sampler, batch_size=None)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def _torch_dataset(images: np.ndarray, labels: np.ndarray) -> Any:
    import torch
    from torch.utils.data import TensorDataset

    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return TensorDataset(pixels, torch.from_numpy(labels))


def _grain(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    import grain

    indices = grain.MapDataset.range(len(images)).shuffle(seed=0).repeat()
    dataset = indices.map(lambda place: {"image": images[place], "fine": labels[place]})
    return iter(dataset.batch(batch_size, drop_remainder=True).to_iter_dataset())


def _dali(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """An external source of whole batches, by way of its PyTorch iterator: its TensorFlow plugin was far slower."""
    from nvidia.dali import fn, pipeline_def
    from nvidia.dali.plugin.pytorch import DALIGenericIterator

    @pipeline_def(batch_size=batch_size, num_threads=processors.count(), device_id=None)
    def pipeline() -> Any:
        return tuple(fn.external_source(source=_permuted(images, labels, batch_size), num_outputs=2, batch=True))

    return (outputs for (outputs,) in DALIGenericIterator([pipeline()], ["image", "fine"]))


def _permuted(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(len(images))
        for begin in range(0, len(images) - batch_size + 1, batch_size):
            chosen = order[begin : begin + batch_size]
            yield images[chosen], labels[chosen]
