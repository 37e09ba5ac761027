"""The rows of `benchmarks.gpu`: rates of steps with their ratios, waits for data, augmentation, and a training."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.gpu import cases
from benchmarks.gpu.attempts import Attempts
from benchmarks.gpu.cases import Started
from benchmarks.gpu.plan import ONE_BATCH, Plan, Setting
from benchmarks.harness import results, subprocess_call, timing, training_steps
from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.harness.timing import Timing
from benchmarks.train_step.rows import waiting_shares
from pipeline.common import progress

UNITS = {"seconds": "s", "accuracy": "%", "host_mib": "MiB", "device_mib": "MiB"}


def measure(plan: Plan, source: dict[str, Any], attempt: Attempts) -> Iterator[Row]:
    """The rows of a plan's trainings, steps and augmentation, each as soon as it is measured.

    `source` has the values of a `SourceConfig`, of a prepared data set.
    """
    for cache in plan.caches:
        arguments = {"source": source, "cache": cache, "precision": plan.chosen, "max_steps": plan.max_steps}
        call = functools.partial(subprocess_call.call, cases.train, recipe=plan.preset, **arguments)
        yield from training(plan, cache, attempt(f"a training with cache={cache}", call) or {})
    started: dict[Setting, Started] = {}
    for setting in plan.settings():
        start = functools.partial(cases.steps, setting, plan.preset, source, plan.round_s)
        if one := attempt(setting.labels(plan.preset, 0).name, start):
            started[setting] = one
    timings = timed(list(started.values()), plan.repeats)
    by_setting = {setting: timings[one.case.name] for setting, one in started.items()}
    yield from steps(by_setting)
    yield from waits_for_data(plan.preset, by_setting)
    data, _ = training_steps.configured(plan.preset, source, plan.chosen)
    sets = [
        attempt(f"ours/augment/{name}", functools.partial(cases.augmentation, name, data, plan.round_s))
        for name in plan.augmentations
    ]
    for measured in timed([one for one in sets if one], plan.repeats).values():
        yield results.timed(measured)


def training(plan: Plan, cache: str, figures: Mapping[str, float]) -> Iterator[Row]:
    """The rows of what `cases.train` found."""
    for metric, value in figures.items():
        name = f"ours/train/{plan.preset}/{cache}/{metric}"
        labels = Labels(name, "train", recipe=plan.preset, precision=plan.chosen, cache=cache, metric=metric)
        yield results.row(labels, UNITS[metric], [value], 2)


def timed(started: Sequence[Started], repeats: int) -> dict[str, Timing]:
    """The timings of cases, which take turns, by name; each with the seconds of its very first call."""
    with progress.task("measuring", len(started) * (repeats + 1), "rounds", in_background=False) as task:
        timings = timing.interleave([one.case for one in started], repeats, each=task.advance)
    return {one.case.name: dataclasses.replace(timings[one.case.name], first_s=one.first_s) for one in started}


def steps(timings: Mapping[Setting, Timing]) -> Iterator[Row]:
    """The rows of steps, with the ratio to the setting that each is compared with."""
    for setting, measured in timings.items():
        base = timings.get(setting.base) if setting.base else None
        batch_size = measured.labels.batch_size
        assert batch_size is not None
        rate = round(measured.median / batch_size, 3)
        yield results.timed(measured, compared=(measured, base) if base else None, steps_per_s=rate)


def waits_for_data(recipe: str, timings: Mapping[Setting, Timing]) -> Iterator[Row]:
    """Per cent of the time of a step that each feed costs, beside the same step on one batch; not less than 0."""
    for setting, measured in timings.items():
        unfed = timings.get(dataclasses.replace(setting, feed=ONE_BATCH))
        if unfed and setting.feed != ONE_BATCH:
            name = f"ours/waits_for_data/{recipe}/{setting.feed}"
            labels = dataclasses.replace(measured.labels, name=name, kind="waits_for_data")
            yield results.row(labels, "%", waiting_shares(measured, unfed), 2)
