"""What others are measured beside our feeds, each library in a process of its own; absent ones are named.

    with contextlib.ExitStack() as stack:
        sides = input_peers.begun(stack, images, labels, batch_size, passes=1)

Of its own, since how fast a library allocates depends on what another one has allocated in the same process before:
DALI's external source was far slower behind Keras's PyDataset.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import importlib.metadata
import importlib.util
import multiprocessing
import pathlib
import signal
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.harness.timing import Side
from benchmarks.input import loaders, peer_loaders
from pipeline.common import errors


@dataclasses.dataclass(frozen=True)
class Library:
    """Where a peer comes from.

    Attributes:
      modules: that it needs.
      words: what it is.
      distribution: whose version counts.
      extra: of ours that has it; none where we need it ourselves.
    """

    modules: tuple[str, ...]
    words: str
    distribution: str
    extra: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether its modules can be found; nothing is imported."""
        return all(_can_find(module) for module in self.modules)


TF_DATA = Library(("tensorflow",), "tf.data", "tensorflow")
KERAS = Library(("keras",), "Keras's PyDataset", "keras")
PYTORCH = Library(("torch",), "PyTorch's DataLoader", "torch", "peers")
GRAIN = Library(("grain",), "Google's Grain", "grain", "peers")
DALI = Library(("nvidia.dali", "torch"), "NVIDIA's DALI", "nvidia-dali-cuda120", "dali")

Make = Callable[[np.ndarray, np.ndarray, int], Iterator[Any]]
PEERS: dict[str, tuple[Library, Make]] = {
    "peer/tf_data/study_arrays": (TF_DATA, peer_loaders.study_arrays),
    "peer/tf_data/uint8_arrays": (TF_DATA, peer_loaders.uint8_arrays),
    "peer/keras/pydataset": (KERAS, peer_loaders.pydataset),
    "peer/pytorch/dataloader/workers_0": (PYTORCH, functools.partial(peer_loaders.dataloader, num_workers=0)),
    "peer/pytorch/dataloader/workers_2": (PYTORCH, functools.partial(peer_loaders.dataloader, num_workers=2)),
    "peer/pytorch/dataloader/bulk": (PYTORCH, peer_loaders.bulk_dataloader),
    "peer/grain/map_dataset": (GRAIN, peer_loaders.grain),
    "peer/dali/generic_iterator": (DALI, peer_loaders.dali),
}


def missing() -> list[Library]:
    """Those that are not installed."""
    return [library for library in dict.fromkeys(library for library, _ in PEERS.values()) if not library.is_installed]


def version(name: str) -> dict[str, str]:
    """{"version": of the library} of a peer's row, else {}."""
    if name not in PEERS:
        return {}
    return {"version": importlib.metadata.version(PEERS[name][0].distribution)}


def begun(
    stack: contextlib.ExitStack, images: np.ndarray, labels: np.ndarray, batch_size: int, passes: int
) -> list[Side]:
    """Every peer that is there and works, to be timed as our feeds are (feeds.Feed.side); the others are named.

    Args:
      stack: ends their processes.
      images: uint8 [N, 32, 32, 3].
      labels: int32 [N].
      batch_size: of the batches.
      passes: over the images, that are timed.
    """
    for absent in missing():
        print(f"not installed, and left out: {absent.words} (the extra `{absent.extra}` has it)")
    processes = stack.enter_context(Processes(images, labels))
    found = []
    for name, (library, _) in PEERS.items():
        if library.is_installed:
            side = processes.side(name, batch_size, passes)
            try:
                side.before()
                side.after()
            except errors.FailedError as error:
                print(f"left out: {error}")
            else:
                found.append(side)
    return found


class Processes:
    """A context of one process for each library that is installed, which holds the images and waits.

    Args:
      images: uint8 [N, 32, 32, 3].
      labels: int32 [N].
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self._images, self._labels = images, labels

    def __enter__(self) -> "Processes":
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            np.save(folder / "images.npy", self._images)
            np.save(folder / "labels.npy", self._labels)
            context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
            self._of = {
                library: stack.enter_context(
                    concurrent.futures.ProcessPoolExecutor(1, context, initializer=_load, initargs=(str(folder),))
                )
                for library, _ in PEERS.values()
                if library.is_installed
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def side(self, name: str, batch_size: int, passes: int) -> Side:
        """A peer by its row's name; whatever goes wrong with it is an errors.FailedError that names it."""
        library, make = PEERS[name]
        batches_a_pass = len(self._images) // batch_size
        count = passes * batches_a_pass

        def call(function: Callable[..., None], *arguments: Any) -> None:
            try:
                self._of[library].submit(function, *arguments).result()
            except Exception as error:  # whatever a library may say
                words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                raise errors.FailedError(f"{name}: {words}; --nopeers goes without all peers") from error

        return Side(
            name,
            lambda: call(_take, count),
            count * batch_size,
            before=lambda: call(_begin, make, batch_size, batches_a_pass),
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to children too; their parent ends them
    _arrays[:] = [np.load(pathlib.Path(folder) / f"{name}.npy") for name in ("images", "labels")]


def _begin(make: Make, batch_size: int, count: int) -> None:
    images, labels = _arrays
    _under_way[:] = [make(images, labels, batch_size)]
    _take(count)


def _take(count: int) -> None:
    loaders.take(_under_way[0], count)


def _end() -> None:
    loaders.let_go(_under_way)
