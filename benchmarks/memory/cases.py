"""What `benchmarks.memory` measures, each in its own process: our training, and the original study's augmentation."""

import os
import threading
from typing import Any

import numpy as np

SAMPLE_SECONDS = 0.05
STUDY_BATCH = 1000  # images that the generator makes at a time


def ours(data_dir: str, dataset: str, num_validation: int, views: int, max_steps: int) -> dict[str, float]:
    """Train the preset quick on `views` augmented images, with the augmentation of the original study.

    Returns:
      {"images": trained on, "peak_mib": peak resident memory, "steady_mib": its median during the second half}.
    """
    from pipeline.common import app

    app.load_tensorflow()
    from models import training
    from models.runtime import device

    data, config = _configs(data_dir, dataset, num_validation, virtual_examples=views, epochs=1.0, max_steps=max_steps)
    with _Sampler() as sampler:
        trained = training.train(data, config, verbose=0)
    images = trained.report["steps"] * data.batch_size
    return {"images": images, "peak_mib": device.peak_rss_mib(), "steady_mib": sampler.steady_mib}


def study(data_dir: str, dataset: str, num_validation: int, views: int) -> dict[str, float]:
    """Augment ahead of time into one float32 array, with the original study's generator; then classify one batch of it.

    The array is allocated once at its full size and filled: the study's concatenations took twice as much.

    Returns:
      {"images": in the array, "peak_mib": as of `ours`, "steady_mib": resident memory with the array full}.
    """
    from pipeline.common import app

    app.load_tensorflow()
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from models import classifier
    from models.runtime import device
    from pipeline.batches import OpenedData

    data, config = _configs(data_dir, dataset, num_validation)
    opened = OpenedData(data)
    pixels = np.concatenate([chunk["image"] for chunk in opened.examples("train").as_numpy_iterator()])
    originals = pixels.astype(np.float32) / 255
    generator = ImageDataGenerator(
        rotation_range=90,
        shear_range=0.2,
        zoom_range=0.2,
        channel_shift_range=0.2,
        horizontal_flip=True,
        vertical_flip=True,
    )
    flow = generator.flow(originals, batch_size=STUDY_BATCH, shuffle=True)
    with _Sampler() as sampler:
        images = np.empty((views, *originals.shape[1:]), np.float32)
        for begin in range(0, views, STUDY_BATCH):
            made = next(flow)[: views - begin]
            images[begin : begin + len(made)] = made
        classifier.build(config)(255 * images[: data.batch_size])
    return {"images": len(images), "peak_mib": device.peak_rss_mib(), "steady_mib": sampler.last_mib}


def epochs(data_dir: str, dataset: str, num_validation: int, views: int, count: int) -> dict[str, list[float]]:
    """Train for `count` short epochs; returns {"mib": resident memory after each}."""
    from pipeline.common import app

    app.load_tensorflow()
    import keras

    from models import training

    data, config = _configs(data_dir, dataset, num_validation, virtual_examples=views, epochs=float(count))
    mib: list[float] = []
    sample = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mib.append(_rss_mib()))
    training.train(data, config, callbacks=[sample], verbose=0)
    return {"mib": mib}


def _configs(data_dir: str, dataset: str, num_validation: int, **values: Any) -> tuple[Any, Any]:
    from models.config import presets
    from models.config.training import TrainConfig
    from models.runtime import precision
    from pipeline.common.config import build
    from pipeline.data_config import DataConfig

    own = {"data_dir": data_dir, "dataset": dataset, "num_validation": num_validation, "augmentation": "original"}
    layers = (presets.preset("quick"), own, values, {"precision": precision.resolve("auto")})
    return build(DataConfig, *layers), build(TrainConfig, *layers)


class _Sampler:
    """A context that samples the resident memory of the process."""

    def __init__(self) -> None:
        self._mib: list[float] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "_Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.last_mib = _rss_mib()
        self._end.set()
        self._thread.join()

    @property
    def steady_mib(self) -> float:
        """The median of the second half."""
        return float(np.median(self._mib[len(self._mib) // 2 :] or [self.last_mib]))

    def _sample(self) -> None:
        while not self._end.wait(SAMPLE_SECONDS):
            self._mib.append(_rss_mib())


def _rss_mib() -> float:
    import psutil

    return psutil.Process(os.getpid()).memory_info().rss / 2**20
