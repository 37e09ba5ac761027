"""What `benchmarks.memory` measures, each in its own process: our training, and the original study's augmentation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.harness import data as harness_data
from benchmarks.harness import memory

SAMPLE_SECONDS = 0.05
STUDY_BATCH = 1000  # images that the generator makes at a time


def ours(views: int, max_steps: int, **source: Any) -> dict[str, float]:
    """Train the preset quick on `views` augmented images, with the augmentation of the original study.

    `source` has the values of a `SourceConfig`, of a prepared data set.

    Returns {"images": trained on, "peak_mib": of resident memory, "steady_mib": its median during the second half}.
    """
    from models.runtime import device
    from models.training import loop

    data, config = _configs(source, virtual_examples=views, epochs=1.0, max_steps=max_steps)
    with memory.sampling(memory.resident_mib, SAMPLE_SECONDS) as samples:
        trained = loop.train(data, config, verbose=0)
    images = trained.report["steps"] * data.batch_size
    steady_mib = float(np.median(samples[len(samples) // 2 :] or [memory.resident_mib()]))
    return {"images": images, "peak_mib": device.peak_rss_mib(), "steady_mib": steady_mib}


def study(views: int, **source: Any) -> dict[str, float]:
    """Augment ahead of time into one float32 array, with the original study's generator; then classify one batch of it.

    The array is allocated once at its full size and filled: the study's concatenations took twice as much. `source` and
    what is returned are as of `ours`; "images" are those in the array, and "steady_mib" is with the array full.
    """
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from models import classifier
    from models.runtime import device
    from pipeline.batches import OpenedData

    data, config = _configs(source)
    opened = OpenedData(data)
    pixels = np.concatenate([chunk["image"] for chunk in opened.examples("train").as_numpy_iterator()])
    originals = pixels.astype(np.float32) / 255
    generator = ImageDataGenerator(**harness_data.ORIGINAL_GENERATOR, channel_shift_range=0.2)
    flow = generator.flow(originals, batch_size=STUDY_BATCH, shuffle=True)
    images = np.empty((views, *originals.shape[1:]), np.float32)
    for begin in range(0, views, STUDY_BATCH):
        made = next(flow)[: views - begin]
        images[begin : begin + len(made)] = made
    classifier.build(config, opened.description)(255 * images[: data.batch_size])
    return {"images": len(images), "peak_mib": device.peak_rss_mib(), "steady_mib": memory.resident_mib()}


def epochs(views: int, count: int, **source: Any) -> dict[str, list[float]]:
    """Train for `count` short epochs; `source` is as of `ours`. Returns {"mib": resident memory after each}."""
    import keras

    from models.training import loop

    data, config = _configs(source, virtual_examples=views, epochs=float(count))
    mib: list[float] = []
    sample = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mib.append(memory.resident_mib()))
    loop.train(data, config, callbacks=[sample], verbose=0)
    return {"mib": mib}


def _configs(source: Mapping[str, Any], **values: Any) -> tuple[Any, Any]:
    from models.config import from_preset
    from models.config.fitted import fitted
    from models.runtime import precision
    from pipeline.datasets import prepared

    values |= {"augmentation": "original", "precision": precision.resolve("auto")}
    data, train = from_preset("quick", **source, **values)
    return fitted(data, train, prepared.description(data.data_dir, data.prepared_name))
