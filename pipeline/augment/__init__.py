"""Augmentation on the device: one transform a file, each a Keras layer that draws per image and applies to a batch.

A file is imported at the first use of a transform in it: `augment.Crop`.
"""

from typing import Any

from pipeline.common import lazy


def __getattr__(name: str) -> Any:
    return lazy.package_attribute(__name__, __path__, name)
