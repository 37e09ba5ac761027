"""Finds the copy of CIFAR-100 or CIFAR-10 that Keras has downloaded."""

import pathlib
from collections.abc import Callable

from pipeline.common import errors
from pipeline.common.process import environment
from pipeline.datasets.cifar import archive
from pipeline.datasets.cifar.spec import Spec


def find(spec: Spec, log: Callable[[str], None]) -> archive.Archive | None:
    """The first complete copy in Keras's cache; None if there is none.

    `log` gets the path of each one before it is read, and what is wrong with one that is not used.
    """
    for path in paths(spec):
        log(f"checking {path}, which is in the cache of Keras")
        try:
            return archive.read(path, spec, source=f"{path} is not used")
        except errors.BadArgumentError as error:
            log(str(error))
    return None


def paths(spec: Spec) -> list[pathlib.Path]:
    """The files and folders that may be copies, each folder before its archive.

    Keras 3 extracts `cifar-100-python-target_archive` to `cifar-100-python-target`; Keras 2 extracted
    `cifar-100-python.tar.gz` to `cifar-100-python`.
    """
    names = [form.name for form in spec.forms if form.is_pickled]  # Keras reads no other form
    return sorted(path for name in names for path in (environment.keras_home() / "datasets").glob(f"{name}*"))
