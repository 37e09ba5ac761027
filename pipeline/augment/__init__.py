"""Augmentation on the device: transforms are Keras layers that draw per image and apply to a batch.

Modules hold transforms of one kind, and are imported at first use: `augment.Crop`.
"""

from typing import Any

from pipeline.common import lazy


def __getattr__(name: str) -> Any:
    return lazy.package_attribute(__name__, __path__, name)
