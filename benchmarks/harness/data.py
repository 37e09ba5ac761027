"""The prepared data set that the flags of a benchmark name, and its training batches."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from models.config import from_preset
from models.training import preconditions
from pipeline.common import config
from pipeline.data_config import DataConfig, SourceConfig

if TYPE_CHECKING:
    import tensorflow as tf

    from pipeline.batches import OpenedData

# Parameters of the original study's `ImageDataGenerator`; its channel shift was a fifth of the range of the values.
ORIGINAL_GENERATOR: dict[str, Any] = {
    "rotation_range": 90,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "vertical_flip": True,
}


def source_of_flags() -> SourceConfig:
    """The data set that the flags name, prepared."""
    from pipeline import prepare

    source = config.build(SourceConfig, config.given_flags())
    return dataclasses.replace(source, dataset=prepare.prepare(source))


def flags_of(source: SourceConfig) -> list[str]:
    """The flags that name a data set."""
    return [f"--{name}={value}" for name, value in source.source_values().items() if value]


def prepared_quick(**values: Any) -> DataConfig:
    """The data of the preset quick, with other values, on the data set of the flags: checked, then prepared."""
    from pipeline import prepare

    source = config.build(SourceConfig, config.given_flags())
    data, train = from_preset("quick", **source.as_dict(), **values)
    preconditions.check(data, train)
    return data.replace(dataset=prepare.prepare(source))


def train_batches(opened: "OpenedData", seed: int = 0, threads: int = 0) -> "Iterator[dict[str, tf.Tensor]]":
    """Endless training batches in the order of `seed`; with 0 `threads` tf.data chooses their number.

    With `cache=device` a graph of its own gathers each batch on the device.
    """
    import tensorflow as tf

    dataset: Any = opened.train(seed)
    if threads:
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        dataset = dataset.with_options(options)
    return map(tf.function(opened.whole), dataset) if opened.config.cache == "device" else iter(dataset)
