"""Examples in memory: stages that load every example once, onto the host or a device, and share them between passes."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from pipeline.common import errors, progress
from pipeline.device_examples import DeviceExamples

MAX_CACHED_DATASETS = 2  # the training and validation images of one split
ALIGNMENT = 64  # bytes, of TensorFlow's own allocations on CPUs

Examples = TypeVar("Examples")


class MemoryCache:
    """The examples of the MAX_CACHED_DATASETS data sets loaded last, in the host's memory or on the device."""

    def __init__(self) -> None:
        self._examples: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._examples)

    def __contains__(self, key: str) -> bool:
        return key in self._examples

    def load(self, key: str, load: Callable[[], Examples]) -> Examples:
        """The examples stored under `key`, else what `load` returns, which is stored."""
        if key not in self:
            examples = load()
            while len(self._examples) >= MAX_CACHED_DATASETS:
                del self._examples[next(iter(self._examples))]
            self._examples[key] = examples
        return self._examples[key]


@dataclasses.dataclass(frozen=True)
class CacheInMemory:
    """Loads every example of a finite data set into memory, or takes them from `cache`."""

    num_examples: int
    key: str = dataclasses.field(repr=False)
    cache: MemoryCache = dataclasses.field(repr=False)

    @property
    def is_loaded(self) -> bool:
        """Whether the examples are in memory."""
        return self.key in self.cache

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> one chunk with all examples; errors as `in_memory`."""
        examples = self.cache.load(self.key, lambda: in_memory(dataset, self.num_examples))
        return tf.data.Dataset.from_tensors(examples)


@dataclasses.dataclass(frozen=True)
class CacheOnDevice:
    """Loads every example of a finite data set onto a device, or takes them from `cache`.

    What follows are indices. The step gathers its batch from `examples`, on the device.
    """

    num_examples: int
    device: str  # "/GPU:0"; "" is the host's processor
    key: str = dataclasses.field(repr=False)
    cache: MemoryCache = dataclasses.field(repr=False)

    @property
    def is_loaded(self) -> bool:
        """Whether the examples are on the device."""
        return self._key in self.cache

    def examples(self, dataset: tf.data.Dataset) -> DeviceExamples:
        """The examples of chunks; errors as `in_memory` and `DeviceExamples.of`."""
        return self.cache.load(self._key, lambda: DeviceExamples.of(in_memory(dataset, self.num_examples), self.device))

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> the indices of all examples, one by one; errors as `examples`."""
        self.examples(dataset)
        return tf.data.Dataset.range(self.num_examples)

    @property
    def _key(self) -> str:
        return f"device-{self.key}"


def in_memory(dataset: tf.data.Dataset, num_examples: int) -> dict[str, tf.Tensor]:
    """Every example of a finite data set of chunks: one tensor [N, ...] a column, in the host's memory.

    Another number of examples than `num_examples` raises errors.FailedError.
    """
    columns: dict[str, np.ndarray] = {}
    end = 0
    with progress.task("decoding images", num_examples, "images") as task:
        for chunk in dataset.as_numpy_iterator():
            begin, end = end, end + len(next(iter(chunk.values())))
            if end > num_examples:
                break
            for name, values in chunk.items():
                if name not in columns:
                    columns[name] = _aligned((num_examples, *values.shape[1:]), values.dtype)
                columns[name][begin:end] = values
            task.advance(end - begin)
    if end != num_examples:
        got = "more" if end > num_examples else end
        raise errors.FailedError(f"expected {num_examples} examples, got {got}: prepare the data set again")
    return {name: tf.experimental.dlpack.from_dlpack(column.__dlpack__()) for name, column in columns.items()}


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array at an address that TensorFlow can use without a copy."""
    num_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(num_bytes + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + num_bytes].view(dtype).reshape(shape)
