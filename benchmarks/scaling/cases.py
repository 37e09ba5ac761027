"""What `benchmarks.scaling` measures, each in its own process: loading and training on data sets of any size."""

import collections
import itertools
import pathlib
import time
from typing import Any

from pipeline.datasets import labels

CHUNK = 500  # images that shapes100 is drawn in: five of each class


def prepare(data_dir: str, num_images: int) -> dict[str, float]:
    """Write shapes100 with `num_images` training images, a multiple of CHUNK; returns {"seconds": that it took}."""
    import tensorflow_datasets as tfds

    from pipeline import contents
    from pipeline.datasets.shapes100 import builder as shapes100

    per_class = num_images // labels.NUM_FINE
    with tfds.core.registered.skip_registration():  # by its name this is shapes100, which is registered
        sized = type("Shapes100", (shapes100.Shapes100,), {"TRAIN_PER_CLASS": per_class, "TEST_PER_CLASS": 5})
    tfds.disable_progress_bar()
    started = time.perf_counter()
    builder = sized(data_dir=data_dir)
    builder.download_and_prepare()
    contents.read(pathlib.Path(builder.data_dir))  # as pipeline.prepare does
    return {"seconds": time.perf_counter() - started}


def load(data_dir: str, cache: str, batch_size: int, threads: int, num_images: int, repeats: int) -> dict[str, Any]:
    """Load training batches of the prepared data set, as a training step does.

    Each of the `repeats` timed calls, which come after one that is not timed, loads about `num_images` images. With 0
    `threads`, tf.data chooses their number.

    Returns:
      {"rates": images/s of each call, "first_s": seconds to the first batch, "peak_mib": peak resident memory}.
    """
    from benchmarks.harness import data as harness_data
    from benchmarks.harness import timing
    from models.runtime import device
    from pipeline.batches import OpenedData

    data = _data(data_dir, cache=cache, batch_size=batch_size)
    started = time.perf_counter()
    batches = harness_data.train_batches(OpenedData(data), threads=threads)
    next(batches)
    first_s = time.perf_counter() - started
    count = max(1, num_images // batch_size)

    def load_images() -> None:
        collections.deque(itertools.islice(batches, count), 0)

    rates = [count * batch_size / timing.seconds_of(load_images) for _ in range(repeats + 1)][1:]
    return {"rates": rates, "first_s": first_s, "peak_mib": device.peak_rss_mib()}


def train(data_dir: str, batch_size: int, num_images: int, repeats: int) -> dict[str, Any]:
    """Train the preset quick on batches of that size; arguments and result as of `load`."""
    from benchmarks.harness import timing, training_steps
    from benchmarks.harness.labels import Labels
    from models.config import from_preset
    from models.runtime import device, precision

    data = _data(data_dir, batch_size=batch_size)
    _, train_config = from_preset("quick", precision=precision.resolve("auto"))
    case = training_steps.case(Labels("ours/train", "train"), data, train_config, max(1, num_images // batch_size))
    (timed,) = timing.interleave([case], repeats).values()
    return {"rates": list(timed.rates), "first_s": timed.first_s, "peak_mib": device.peak_rss_mib()}


def _data(data_dir: str, **values: Any) -> Any:
    from models.config import from_preset

    return from_preset("quick", dataset="shapes100", data_dir=data_dir, num_validation=0, **values)[0]
