"""The peers of our input pipeline, each library in a process of its own; those that are not installed are named.

    with contextlib.ExitStack() as stack:
        cases = input_peers.start(stack, images, labels, batch_size, passes=1)

One process would be unfair: how fast a library allocates depends on what another one has allocated before. DALI's
external source was far slower after Keras's PyDataset.
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
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from benchmarks.input import loaders, peer_loaders
from pipeline.common import errors


class Library(NamedTuple):
    """The library of a peer."""

    modules: tuple[str, ...]  # that are imported
    title: str  # for people
    distribution: str  # whose version is reported
    extra: str = ""  # of this project that installs it; empty where the project needs it anyway

    @property
    def is_installed(self) -> bool:
        """Whether its modules can be found, without importing them."""
        try:
            return all(importlib.util.find_spec(module) for module in self.modules)
        except ModuleNotFoundError:  # of a package around it
            return False


TF_DATA = Library(("tensorflow",), "tf.data", "tensorflow")
KERAS = Library(("keras",), "Keras's PyDataset", "keras")
PYTORCH = Library(("torch",), "PyTorch's DataLoader", "torch", "peers")
GRAIN = Library(("grain",), "Google's Grain", "grain", "peers")
SPDL = Library(("spdl.pipeline",), "Meta's SPDL", "spdl", "peers")
DALI = Library(("nvidia.dali", "torch"), "NVIDIA's DALI", "nvidia-dali-cuda120", "dali")

Make = Callable[[np.ndarray, np.ndarray, int], Iterator[Any]]


class Peer(NamedTuple):
    """One way of a library to load batches: the labels of its row, its library, and what makes the iterator."""

    labels: Labels
    library: Library
    make: Make


def _peer(library: Library, make: Make, template: str = "peer/{peer}/{loader}", **fields: Any) -> Peer:
    return Peer(Labels.of(template, "train", **fields), library, make)


def _dataloader(workers: int) -> Peer:
    make = functools.partial(peer_loaders.dataloader, num_workers=workers)
    template = "peer/{peer}/{loader}/workers_{workers}"
    return _peer(PYTORCH, make, template, peer="pytorch", loader="dataloader", workers=workers)


_ALL = (
    _peer(TF_DATA, peer_loaders.study_arrays, peer="tf_data", loader="study_arrays"),
    _peer(TF_DATA, peer_loaders.uint8_arrays, peer="tf_data", loader="uint8_arrays"),
    _peer(KERAS, peer_loaders.pydataset, peer="keras", loader="pydataset"),
    *(_dataloader(workers) for workers in (0, 2)),
    _peer(PYTORCH, peer_loaders.bulk_dataloader, peer="pytorch", loader="dataloader/bulk"),
    _peer(GRAIN, peer_loaders.grain, peer="grain", loader="map_dataset"),
    _peer(SPDL, peer_loaders.spdl, peer="spdl", loader="pipeline"),
    _peer(DALI, peer_loaders.dali, peer="dali", loader="generic_iterator"),
)
PEERS = {peer.labels.name: peer for peer in _ALL}


def missing() -> list[Library]:
    """The libraries that are not installed."""
    return [library for library in dict.fromkeys(peer.library for peer in PEERS.values()) if not library.is_installed]


def version(name: str) -> str:
    """The version of the library of a peer's row."""
    return importlib.metadata.version(PEERS[name].library.distribution)


def start(
    stack: contextlib.ExitStack, images: np.ndarray, labels: np.ndarray, batch_size: int, passes: int
) -> list[Case]:
    """The cases of every peer that is installed and works, as those of our loaders (`Loader.case`); others are named.

    Images are uint8 [N, 32, 32, 3], labels int32 [N]; a timed call makes `passes` over them; `stack` ends processes.
    """
    for library in missing():
        print(f"not installed, so not measured: {library.title} (the extra `{library.extra}` has it)")
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    np.save(pathlib.Path(folder, "images.npy"), images)
    np.save(pathlib.Path(folder, "labels.npy"), labels)
    executors: dict[Library, concurrent.futures.Executor] = {}
    cases = []
    for peer in PEERS.values():
        if not peer.library.is_installed:
            continue
        if peer.library not in executors:
            # Not a `Worker`: those are daemons, which may not have workers of their own. TensorFlow's threads do not
            # survive a fork.
            spawn = multiprocessing.get_context("spawn")
            executor = concurrent.futures.ProcessPoolExecutor(1, spawn, initializer=_load, initargs=(folder,))
            executors[peer.library] = stack.enter_context(executor)
        case = _case(peer, executors[peer.library], len(images), batch_size, passes)
        try:
            case.before()
            case.after()
        except errors.FailedError as error:
            print(f"left out: {error}")
        else:
            cases.append(case)
    return cases


def _case(peer: Peer, executor: concurrent.futures.Executor, num_images: int, batch_size: int, passes: int) -> Case:
    """The case of a peer; every error in it becomes an errors.FailedError that names the peer."""
    batches_in_pass = num_images // batch_size
    count = passes * batches_in_pass

    def call(function: Callable[..., None], *arguments: Any) -> None:
        try:
            executor.submit(function, *arguments).result()
        except Exception as error:  # any error of a library
            text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise errors.FailedError(f"{peer.labels.name}: {text}; --nopeers leaves all peers out") from error

    return Case(
        dataclasses.replace(peer.labels, batch_size=batch_size),
        lambda: call(_consume, count),
        count * batch_size,
        before=lambda: call(_begin, peer.make, batch_size, batches_in_pass),
        after=lambda: call(_end),
    )


# Functions below run in the process of a library.

_arrays: list[np.ndarray] = []
_iterators: list[Iterator[Any]] = []


def _load(folder: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to children too; their parent ends them
    _arrays[:] = [np.load(pathlib.Path(folder) / f"{name}.npy") for name in ("images", "labels")]


def _begin(make: Make, batch_size: int, count: int) -> None:
    images, labels = _arrays
    _iterators[:] = [make(images, labels, batch_size)]
    _consume(count)


def _consume(count: int) -> None:
    loaders.consume(_iterators[0], count)


def _end() -> None:
    loaders.close(_iterators)
