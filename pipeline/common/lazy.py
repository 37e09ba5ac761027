"""Imports modules at first use, so that `--help` and configurations do not wait for TensorFlow and Keras."""

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any


class LazyModule:
    """A module, imported when an attribute is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def package_attribute(package: str, path: Iterable[str], name: str) -> Any:
    """A module of a package or a class of its modules, for the package's `__getattr__`; else AttributeError."""
    modules = [module.name for module in pkgutil.iter_modules(path)]
    if name in modules:
        return importlib.import_module(f"{package}.{name}")
    for module in modules if name[:1].isupper() else ():
        value = getattr(importlib.import_module(f"{package}.{module}"), name, None)
        if value is not None:
            return value
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
