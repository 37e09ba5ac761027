"""What others are measured beside our feeds, each library in a process of its own; absent ones are named.

    with input_peers.Processes(images, labels, batch_size) as processes:
        sides = processes.sides(passes=1)

Of its own, since how fast a library allocates depends on what another one has allocated in the same process before:
Keras's PyDataset alone made DALI's external source take three times as long.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import importlib.util
import multiprocessing
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import feeds, input_peer_feeds
from benchmarks.timing import Side
from pipeline import errors


@dataclasses.dataclass(frozen=True)
class Library:
    """Where a peer comes from: modules that it needs, what it is in words, and our extra that has it, if one must."""

    modules: tuple[str, ...]
    words: str
    extra: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether its modules can be found; nothing is imported."""
        return all(_can_find(module) for module in self.modules)


TF_DATA = Library(("tensorflow",), "tf.data")
KERAS = Library(("keras",), "Keras's PyDataset")
PYTORCH = Library(("torch",), "PyTorch's DataLoader", "peers")
GRAIN = Library(("grain",), "Google's Grain", "peers")
DALI = Library(("nvidia.dali", "torch"), "NVIDIA's DALI", "dali")

Make = Callable[[np.ndarray, np.ndarray, int], Iterator[Any]]
PEERS: dict[str, tuple[Library, Make]] = {
    "peer/tf_data/study_arrays": (TF_DATA, input_peer_feeds.study_arrays),
    "peer/tf_data/uint8_arrays": (TF_DATA, input_peer_feeds.uint8_arrays),
    "peer/keras/pydataset": (KERAS, input_peer_feeds.pydataset),
    "peer/pytorch/dataloader/workers_0": (PYTORCH, functools.partial(input_peer_feeds.dataloader, num_workers=0)),
    "peer/pytorch/dataloader/workers_2": (PYTORCH, functools.partial(input_peer_feeds.dataloader, num_workers=2)),
    "peer/pytorch/dataloader/bulk": (PYTORCH, input_peer_feeds.bulk_dataloader),
    "peer/grain/map_dataset": (GRAIN, input_peer_feeds.grain),
    "peer/dali/generic_iterator": (DALI, input_peer_feeds.dali),
}


def missing() -> list[Library]:
    """Those that are not installed."""
    return [library for library in dict.fromkeys(library for library, _ in PEERS.values()) if not library.is_installed]


class Processes:
    """A context of one process for each library that is installed, which holds the images and waits.

    Args:
      images: uint8 [N, 32, 32, 3].
      labels: int32 [N].
      batch_size: of the batches.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int) -> None:
        self._images, self._labels, self._batch_size = images, labels, batch_size
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Processes":
        folder = pathlib.Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        np.save(folder / "images.npy", self._images)
        np.save(folder / "labels.npy", self._labels)
        context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
        self._of = {
            library: self._stack.enter_context(
                concurrent.futures.ProcessPoolExecutor(1, context, initializer=_load, initargs=(str(folder),))
            )
            for library, _ in PEERS.values()
            if library.is_installed
        }
        for process in self._of.values():
            process.submit(len, ()).result()  # the files are read
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sides(self, passes: int) -> list[Side]:
        """Every peer that is there, to be timed as our feeds are: see feeds.Feed.side."""
        return [self._side(name, passes) for name, (library, _) in PEERS.items() if library in self._of]

    def _side(self, name: str, passes: int) -> Side:
        library, _ = PEERS[name]
        batches_a_pass = len(self._images) // self._batch_size

        def call(function: Callable[..., None], *arguments: Any) -> None:
            try:
                self._of[library].submit(function, *arguments).result()
            except concurrent.futures.BrokenExecutor as error:
                raise errors.FailedError(f"{name}: its process died ({error}); --nopeers goes without it") from error

        count = passes * batches_a_pass
        return Side(
            name,
            lambda: call(_take, count),
            count * self._batch_size,
            before=lambda: call(_begin, name, self._batch_size, batches_a_pass),
            after=lambda: call(_end),
        )


def _can_find(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


# What follows runs in a library's process.

_arrays: list[np.ndarray] = []
_under_way: list[Iterator[Any]] = []


def _load(folder: str) -> None:
    _arrays[:] = [np.load(pathlib.Path(folder) / f"{name}.npy") for name in ("images", "labels")]


def _begin(name: str, batch_size: int, count: int) -> None:
    _, make = PEERS[name]
    images, labels = _arrays
    _under_way[:] = [make(images, labels, batch_size)]
    _take(count)


def _take(count: int) -> None:
    feeds.take(_under_way[0], count)


def _end() -> None:
    feeds.let_go(_under_way)
