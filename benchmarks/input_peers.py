"""How others would feed the same images to a training step, each as its documentation says; absent ones are named.

The study's arrays, Keras's `PyDataset`, and from the extra `peers` PyTorch's `DataLoader` and Google's Grain.
"""

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

NAMES = {"torch": "PyTorch's DataLoader", "grain": "Google's Grain"}


def missing() -> list[str]:
    """What is not installed, in words."""
    return [words for name, words in NAMES.items() if importlib.util.find_spec(name) is None]


def feeds(images: np.ndarray, labels: np.ndarray, batch_size: int) -> list[Feed]:
    """Every peer that is there.

    Args:
      images: uint8 [N, 32, 32, 3].
      labels: int32 [N].
      batch_size: of the batches.
    """
    found = [
        Feed("peer/from_tensor_slices", lambda: _arrays(images, labels, batch_size), batch_size),
        Feed("peer/pydataset", lambda: _pydataset(images, labels, batch_size), batch_size),
    ]
    absent = missing()
    if NAMES["torch"] not in absent:
        for workers in (0, 2):
            make = functools.partial(_torch, images, labels, batch_size, workers)
            found.append(Feed(f"peer/torch_dataloader_{workers}", make, batch_size))
    if NAMES["grain"] not in absent:
        found.append(Feed("peer/grain", lambda: _grain(images, labels, batch_size), batch_size))
    return found


def _arrays(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """The study's way: float32 arrays of 0 to 1 in memory, shuffled whole by tf.data."""
    pixels = images.astype(np.float32) / 255
    dataset = tf.data.Dataset.from_tensor_slices((pixels, labels))
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
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(1)
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    loader = DataLoader(
        TensorDataset(pixels, torch.from_numpy(labels)),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
    )
    return itertools.chain.from_iterable(itertools.repeat(loader))


def _grain(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    import grain

    indices = grain.MapDataset.range(len(images)).shuffle(seed=0).repeat()
    dataset = indices.map(lambda place: {"image": images[place], "fine": labels[place]})
    return iter(dataset.batch(batch_size, drop_remainder=True).to_iter_dataset())
