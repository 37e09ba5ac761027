"""Modules imported at their first use: `--help` and configurations must not wait for TensorFlow and Keras."""

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any


class LazyModule:
    """Stands for a module until one of its attributes is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def package_attribute(package: str, path: Iterable[str], name: str) -> Any:
    """A module of a package, or a class by its name alone, for the package's `__getattr__`.

    Raises:
      AttributeError: the package has neither.
    """
    modules = [module.name for module in pkgutil.iter_modules(path)]
    if name in modules:
        return importlib.import_module(f"{package}.{name}")
    for module in modules if name[:1].isupper() else ():
        found = getattr(importlib.import_module(f"{package}.{module}"), name, None)
        if found is not None:
            return found
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
