"""What `benchmarks.scaling` measures, each in a process of its own: feeds and steps over data sets of any size."""

import itertools
import time
from typing import Any

from pipeline.datasets import labels

CHUNK = 500  # images that shapes100 is drawn in: five of each class


def prepare(data_dir: str, num_images: int) -> dict[str, float]:
    """Have TFDS write shapes100 with so many training images, a multiple of CHUNK, in the place of the usual 50,000.

    Returns:
      {"seconds": taken}.
    """
    from pipeline.common import app

    app.load_tensorflow()
    import tensorflow_datasets as tfds

    from pipeline.datasets.shapes100 import builder as shapes100

    per_class = num_images // labels.NUM_FINE
    with tfds.core.registered.skip_registration():  # by its name this is shapes100, which is registered
        sized = type("Shapes100", (shapes100.Shapes100,), {"TRAIN_PER_CLASS": per_class, "TEST_PER_CLASS": 5})
    tfds.disable_progress_bar()
    started = time.perf_counter()
    sized(data_dir=data_dir).download_and_prepare()
    return {"seconds": time.perf_counter() - started}


def feed(data_dir: str, cache: str, batch_size: int, threads: int, num_images: int, repeats: int) -> dict[str, Any]:
    """Take training batches of the prepared data set, as a training step would.

    Args:
      data_dir: of `prepare`.
      cache: as --cache.
      batch_size: of the batches.
      threads: of tf.data; 0 leaves their number to it.
      num_images: that each timed call takes, about.
      repeats: calls that are timed, behind one that is not.

    Returns:
      {"rates": images/s of each call, "first_s": until the first batch is there, "peak_mib": the most held}.
    """
    from pipeline.common import app

    app.load_tensorflow()
    from benchmarks.input import cases
    from models.runtime import device
    from pipeline.batches import OpenedData

    data = _data(data_dir, cache=cache, batch_size=batch_size)
    started = time.perf_counter()
    batches = cases.train_batches(OpenedData(data), threads)
    next(batches)
    first_s = time.perf_counter() - started
    count = max(1, num_images // batch_size)
    rates = [count * batch_size / _seconds(batches, count) for _ in range(repeats + 1)][1:]
    return {"rates": rates, "first_s": first_s, "peak_mib": device.peak_rss_mib()}


def train(data_dir: str, batch_size: int, num_images: int, repeats: int) -> dict[str, Any]:
    """Train the preset quick on batches of that size; arguments and result as of `feed`."""
    from pipeline.common import app

    app.load_tensorflow()
    from benchmarks.harness import timing, training_steps
    from models.config import presets
    from models.config.training import TrainConfig
    from models.runtime import device, precision
    from pipeline.common import config

    resolved = {"precision": precision.resolve("auto")}
    data = _data(data_dir, batch_size=batch_size)
    side = training_steps.side(
        "", data, config.build(TrainConfig, presets.preset("quick"), resolved), max(1, num_images // batch_size)
    )
    timed = timing.interleave([side], repeats)[""]
    return {"rates": list(timed.rates), "first_s": timed.first_s, "peak_mib": device.peak_rss_mib()}


def _seconds(batches: Any, count: int) -> float:
    started = time.perf_counter()
    for _ in itertools.islice(batches, count):
        pass
    return time.perf_counter() - started


def _data(data_dir: str, **values: Any) -> Any:
    from models.config import presets
    from pipeline.common import config
    from pipeline.data_config import DataConfig

    own = {"dataset": "shapes100", "data_dir": data_dir, "num_validation": 0}
    return config.build(DataConfig, presets.preset("quick"), own, values)
