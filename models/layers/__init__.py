"""Layers that Keras lacks, one a file; a file is imported at the first use of a layer in it: `layers.Convolution`."""

import importlib
import pkgutil
from typing import Any

from pipeline.common import lazy


def register() -> None:
    """Import every layer, which registers it with Keras, so that saved models can be loaded."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def __getattr__(name: str) -> Any:
    return lazy.package_attribute(__name__, __path__, name)
