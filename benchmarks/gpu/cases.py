"""What `benchmarks.gpu` measures: training steps under a setting, augmentation alone, and a whole training."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.augment import cases as augment_cases
from benchmarks.gpu.plan import ONE_BATCH, Setting
from benchmarks.harness import timing, training_steps
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from models.runtime import device
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig


@dataclasses.dataclass(frozen=True)
class Started:
    """A case whose first call, which traces and compiles, is over."""

    case: Case
    first_s: float


def steps(setting: Setting, recipe: str, source: Mapping[str, Any], round_s: float) -> Started:
    """Whole training steps of a recipe, as many calls of the graph as take `round_s` seconds.

    `source` has the values of a `SourceConfig`, of a prepared data set.
    """
    data, train = training_steps.configured(recipe, source, setting.precision)
    if setting.feed != ONE_BATCH:
        data = data.replace(cache=setting.feed)
    train = train.replace(jit_compile=setting.jit_compile, steps_per_call=setting.steps_per_call)
    batches = iter(OpenedData(data).train(train.seed))
    if setting.feed == ONE_BATCH:
        batches = itertools.repeat(next(batches))
    measured = training_steps.Steps(data, train, num_steps=1)
    labels = setting.labels(recipe, data.batch_size)
    num_images = setting.steps_per_call * data.batch_size
    return _started(labels, lambda count: measured.run_calls(batches, count), num_images, round_s)


def augmentation(name: str, data: DataConfig, round_s: float) -> Started:
    """The transforms of a set alone, as a training step runs them, on one batch that is on the device."""
    work = augment_cases.ours(name, augment_cases.Batch.first(data))

    def run(count: int) -> None:
        float(work.run(count)[0, 0, 0, 0])  # waits for the device, which works in order

    labels = dataclasses.replace(work.labels, name=f"ours/augment/{name}")
    return _started(labels, run, data.batch_size, round_s)


def _started(labels: Labels, run: Callable[[int], object], num_images: int, round_s: float) -> Started:
    first_s = timing.seconds_of(lambda: run(1))
    count = timing.calls_within(run, round_s)
    return Started(Case(labels, lambda: run(count), count * num_images), first_s)


def train(recipe: str, source: dict[str, Any], cache: str, precision: str, max_steps: int) -> dict[str, float]:
    """Train a recipe on all training images and evaluate it on test; called in a process of its own.

    Returns:
      {"seconds": of training, tracing and compiling included, "accuracy": of the fine labels, in per cent, "host_mib"
      and "device_mib": peaks of memory; "device_mib" only where there is a GPU}.
    """
    import tensorflow as tf

    from models.training import loop
    from models.training.evaluation import Evaluator

    device.allow_gpu_memory_growth()
    data, config = training_steps.configured(recipe, source, precision)
    trained = loop.train(data.replace(cache=cache), config.replace(max_steps=max_steps), verbose=0)
    opened = OpenedData(data)
    evaluate = Evaluator(trained.model, config, opened.description.classes)
    means = evaluate(opened.evaluation("test"), opened.num_examples["test"])
    report = trained.report
    figures = {"seconds": report["train_seconds"], "accuracy": 100.0 * means["fine_accuracy"]}
    figures["host_mib"] = report["peak_rss_mib"]
    if device.has_gpu():
        figures["device_mib"] = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    return figures
