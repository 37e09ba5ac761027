"""Endless batches of the same images as other libraries load them, each as its documentation recommends.

Each function takes images uint8 [N, 32, 32, 3], labels int32 [N] and the batch size. A library is imported at the call.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.common import app, cpu


def study_arrays(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """The original study's way: float32 arrays of 0 to 1 in memory, shuffled as a whole by tf.data."""
    return uint8_arrays(images.astype(np.float32) / 255, labels, batch_size)


def uint8_arrays(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """Arrays in memory, shuffled as a whole by tf.data."""
    app.load_tensorflow()
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    return iter(dataset.shuffle(len(images)).repeat().batch(batch_size).prefetch(tf.data.AUTOTUNE))


def pydataset(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """Keras's PyDataset, shuffled once a pass, as `fit` consumes it."""
    app.load_tensorflow()
    import keras
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    class Sequence(keras.utils.PyDataset):
        def __init__(self) -> None:
            super().__init__()
            self._random = np.random.default_rng(0)
            self.on_epoch_end()

        def __len__(self) -> int:
            return math.floor(len(images) / batch_size)

        def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
            chosen = self._order[number * batch_size : (number + 1) * batch_size]
            return images[chosen], labels[chosen]

        def on_epoch_end(self) -> None:
            self._order = self._random.permutation(len(images))

    adapter = PyDatasetAdapter(Sequence())
    while True:
        adapter.on_epoch_begin()
        yield from adapter.get_tf_dataset()
        adapter.on_epoch_end()


def dataloader(images: np.ndarray, labels: np.ndarray, batch_size: int, num_workers: int) -> Iterator[Any]:
    """PyTorch's DataLoader, which collates batches from examples."""
    from torch.utils.data import DataLoader

    workers = {"num_workers": num_workers, "persistent_workers": num_workers > 0}
    loader = DataLoader(_torch_dataset(images, labels), batch_size, shuffle=True, drop_last=True, **workers)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def bulk_dataloader(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """With automatic batching disabled, as PyTorch's documentation recommends for bulk reads."""
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler

    dataset = _torch_dataset(images, labels)
    sampler = BatchSampler(RandomSampler(dataset), batch_size=batch_size, drop_last=True)
    loader = DataLoader(dataset, sampler=sampler, batch_size=None)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def grain(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """Google's Grain."""
    from grain import MapDataset

    indices = MapDataset.range(len(images)).shuffle(seed=0).repeat()
    dataset = indices.map(lambda place: {"image": images[place], "fine": labels[place]})
    return iter(dataset.batch(batch_size, drop_remainder=True).to_iter_dataset())


def dali(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """NVIDIA's DALI: a CPU pipeline on an external source of whole batches, by its PyTorch iterator."""
    from nvidia.dali import fn, pipeline_def
    from nvidia.dali.plugin.pytorch import DALIGenericIterator

    permuted = ((images[chosen], labels[chosen]) for chosen in _permuted_indices(len(images), batch_size))

    @pipeline_def(batch_size=batch_size, num_threads=cpu.count(), device_id=None)
    def pipeline() -> Any:
        return tuple(fn.external_source(source=permuted, num_outputs=2, batch=True))

    return (outputs for (outputs,) in DALIGenericIterator([pipeline()], ["image", "fine"]))


def spdl(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[Any]:
    """Meta's SPDL: batches are indexed by a thread for each processor."""
    from spdl.pipeline import PipelineBuilder

    indices = PipelineBuilder().add_source(_permuted_indices(len(images), batch_size))
    batches = indices.pipe(
        lambda chosen: (images[chosen], labels[chosen]), concurrency=cpu.count(), output_order="input"
    )
    pipeline = batches.add_sink().build(num_threads=cpu.count())
    with pipeline.auto_stop():
        yield from pipeline


def _permuted_indices(num_images: int, batch_size: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(num_images)
        for begin in range(0, num_images - batch_size + 1, batch_size):
            yield order[begin : begin + batch_size]


def _torch_dataset(images: np.ndarray, labels: np.ndarray) -> Any:
    import torch
    from torch.utils.data import TensorDataset

    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return TensorDataset(pixels, torch.from_numpy(labels))
