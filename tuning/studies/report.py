"""The report of a study: the results of its jobs, statistics, and the conditions of the runs."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from models.config import preset_changes, saved
from models.reporting import figures
from pipeline.common import errors
from pipeline.common.config import as_text
from pipeline.data_config import SourceConfig
from tuning import statistics
from tuning.studies.design import METRICS, Study
from tuning.studies.folder import FINISHED

Result = Mapping[str, Any]

# Of a run's report. A row of several models has the sums of some, and none of the others.
ADDED_COSTS = ("num_parameters", "train_petaflop", "train_seconds")
COSTS = ("epochs", *ADDED_COSTS, "peak_rss_mib")


def metric(report: Mapping[str, Any], name: str) -> float | None:
    """One of METRICS of a run's report, 0 to 1; None where the run has no such answer."""
    key = figures.own_coarse_key(report) if name == "own_coarse_accuracy" else name
    return report[key] if key else None


def document(study: Study, budget: str, source: SourceConfig, results: Sequence[Result]) -> dict[str, Any]:
    """The content of `report.json`.

    Args:
      study: its definition.
      budget: one of BUDGETS.
      source: of the data set.
      results: of the jobs, finished or failed; those of variants that are not in the study are skipped.

    Raises:
      errors.FailedError: a result is not of validation.
    """
    dataset, names = source.shown_name, {variant.name for variant in study.variants}
    results = [result for result in results if result["variant"] in names]
    finished = [result for result in results if result["status"] == FINISHED]
    for result in finished:
        if result["report"]["split"] != "validation":
            raise errors.FailedError(f"{result['variant']}: split={result['report']['split']}, expected validation")
    rows = [_variant_row(study, variant.name, dataset, finished) for variant in study.variants]
    rows += [_combination_row(study, place, rows, finished) for place in range(len(study.combinations))]
    rows = [row for row in rows if row["seeds"]]
    residuals = {key: _residual(study, rows, key) for key in study.metrics}
    num_comparisons = _compare(study, rows, residuals)
    _share_comparisons(study, rows)
    return {
        "study": study.name,
        "question": study.question,
        "dataset": dataset,
        "budget": budget,
        "is_equal_cost": study.is_equal_cost(budget),
        "recipe": _recipe(study, budget, finished),
        "split": "validation",
        "fingerprints": finished[0]["report"].get("fingerprints") if finished else None,
        **{name: _distinct(finished, name) for name in ("num_train", "num_validation")},
        "reference": study.reference,
        "metrics": list(study.metrics),
        "shown": list(study.shown),
        "factors": list(study.factors),
        "interval_level": statistics.LEVEL,
        "residuals": {key: one and dataclasses.asdict(one) for key, one in residuals.items()},
        "correction": _correction(study, rows, num_comparisons),
        "variants": rows,
        "cells": [_cell_row(study, result) for result in results],
        "command": _command(study, budget, source, results),
        **{name: _distinct(finished, name) for name in ("device", "precision", "versions", "git_commit")},
    }


def _recipe(study: Study, budget: str, finished: Sequence[Result]) -> dict[str, Any]:
    """What all rows begin with; once some are finished, without what none of them reads or has, fitted to its data."""
    configs = [saved.normalised(result["config"]) for result in finished]
    recipe = {**study.base, **study.budgets[budget]}
    return {
        name: value
        for name, value in recipe.items()
        if not finished or any(config.get(name) == value for config in configs)
    }


def _correction(study: Study, rows: Sequence[dict[str, Any]], num_comparisons: int) -> str:
    text = f"Holm, over {num_comparisons} comparison{'' if num_comparisons == 1 else 's'}"
    together = f", those of {len(study.metrics)} accuracies together" if len(study.metrics) > 1 else ""
    is_shared = any(_same_test(study, rows, row["name"], key) for row in rows for key in study.metrics)
    derived = ", a row of several models counted with the model that answers" if is_shared else ""
    return text + together + derived


def _variant_row(study: Study, name: str, dataset: str, finished: Sequence[Result]) -> dict[str, Any]:
    variant = study.variant(name)
    runs = sorted((result for result in finished if result["variant"] == name), key=lambda result: result["seed"])
    measured = {
        key: {result["seed"]: value for result in runs if (value := metric(result["report"], key)) is not None}
        for key in (*study.metrics, *study.shown)
    }
    row = _row(name, [result["seed"] for result in runs], measured)
    row |= {
        "changes": dict(variant.changes),
        "note": variant.note,
        "levels": list(variant.levels),
        "command": _train_command(study.name, name, runs[0]["config"]) if runs else None,
        "curve": _curve(runs),
        "training": {
            key: _mean([_of_epoch(result["rows"][-1], result["report"], key, "train") for result in runs])
            for key in measured
        },
        **{key: _mean([result["report"][key] for result in runs]) for key in COSTS},
    }
    if variant.original_mean is not None and dataset == figures.REAL_DATASET:
        figure = row["measured"].get(variant.original_metric or study.metrics[0])
        if figure is not None:
            figure |= {"study_mean": variant.original_mean, "study_std": variant.original_std}
    return row


def _combination_row(
    study: Study, place: int, rows: Sequence[dict[str, Any]], finished: Sequence[Result]
) -> dict[str, Any]:
    """A row that takes each metric from another variant's model, over the seeds that all of these have."""
    combination = study.combinations[place]
    parts = {row["name"]: row for row in rows if row["name"] in combination.parts.values()}
    seeds = sorted(set.intersection(*(set(row["seeds"]) for row in parts.values())))
    measured = {
        key: {seed: parts[name]["measured"][key]["values"][str(seed)] for seed in seeds}
        for key, name in combination.parts.items()
    }
    shared = [result["report"] for result in finished if result["variant"] in parts and result["seed"] in seeds]
    costs = {key: sum(report[key] for report in shared) / len(seeds) if seeds else None for key in ADDED_COSTS}
    row = _row(combination.name, seeds, measured)
    row |= {"changes": {}, "note": combination.note, "levels": [], "command": None, "curve": [], "training": {}}
    return row | dict.fromkeys(COSTS) | costs


def _row(name: str, seeds: list[int], measured: Mapping[str, Mapping[int, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "seeds": seeds, "measured": {}}
    for key, values in measured.items():
        summary = statistics.summarise(list(values.values()))
        row["measured"][key] = {
            "values": {str(seed): value for seed, value in values.items()},
            **{name: getattr(summary, name) for name in ("mean", "std", "low", "high")},
            **dict.fromkeys(("study_mean", "study_std", "comparison")),
        }
    return row


def _residual(study: Study, rows: Sequence[dict[str, Any]], key: str) -> statistics.Residual | None:
    """Of all variants' values; combinations have theirs from them."""
    variants = {variant.name for variant in study.variants}
    return statistics.residual([_by_seed(row, key) for row in rows if row["name"] in variants])


def _compare(study: Study, rows: Sequence[dict[str, Any]], residuals: Mapping[str, statistics.Residual | None]) -> int:
    """Put into each row how it differs from what it is compared with; the number of comparisons corrected for."""
    by_name = {row["name"]: row for row in rows}
    measured = []
    for key in study.metrics:
        for row in rows:
            against = by_name.get(study.against(row["name"]))
            if against is None or against is row or not _by_seed(row, key):
                continue
            if _same_test(study, rows, row["name"], key) is None:
                comparison = statistics.compare(_by_seed(row, key), _by_seed(against, key), residuals[key])
                measured.append((row["measured"][key], against["name"], comparison))
    judged = statistics.judge([comparison for *_, comparison in measured])
    for (figure, against, _), comparison in zip(measured, judged, strict=True):
        figure["comparison"] = {"against": against, **dataclasses.asdict(comparison)}
    return sum(comparison.p_value is not None for comparison in judged)


def _share_comparisons(study: Study, rows: Sequence[dict[str, Any]]) -> None:
    """Give combinations the comparisons of the variants that answer for them: to test them twice would cost power."""
    for row in rows:
        for key, figure in row["measured"].items():
            part = _same_test(study, rows, row["name"], key)
            if part is not None:
                figure["comparison"] = part["measured"][key]["comparison"]


def _same_test(study: Study, rows: Sequence[dict[str, Any]], name: str, key: str) -> dict[str, Any] | None:
    """The part of a combination whose comparison in the metric is the same test, on the same pairs of seeds; else None.

    A combination has only the seeds that all its parts have. With fewer pairs than the part it is a separate test.
    """
    parts = next((combination.parts for combination in study.combinations if combination.name == name), {})
    by_name = {row["name"]: row for row in rows}
    if key not in parts or parts[key] not in by_name:
        return None
    reference = by_name.get(study.reference)
    part, against = by_name[parts[key]], set(_by_seed(reference, key)) if reference else set()
    pairs, own_pairs = (against & set(_by_seed(row, key)) for row in (part, by_name[name]))
    return part if part is reference or pairs == own_pairs else None


def _by_seed(row: Mapping[str, Any], key: str) -> dict[int, float]:
    return {int(seed): value for seed, value in row["measured"].get(key, {"values": {}})["values"].items()}


def _curve(runs: Sequence[Result]) -> list[dict[str, Any]]:
    """The images seen and the mean validation accuracies over the seeds, by epoch."""
    batch_size = saved.configs(runs[0]["config"])[0].batch_size if runs else 0
    return [
        {
            "images": epoch[0]["step"] * batch_size,
            **{
                name: _mean([_of_epoch(row, runs[0]["report"], name, "validation") for row in epoch])
                for name in METRICS
            },
        }
        for epoch in zip(*(result["rows"] for result in runs), strict=False)
    ]


def _of_epoch(row: Mapping[str, Any], report: Mapping[str, Any], name: str, split: str) -> float | None:
    """One of METRICS in a row of metrics.jsonl; `split` is "train" or "validation"."""
    values = {key: row.get(f"{split}_{key}") for key in METRICS}
    return metric({**values, "coarse_source": report["coarse_source"]}, name)


def _cell_row(study: Study, result: Result) -> dict[str, Any]:
    row = {"variant": result["variant"], "seed": result["seed"], "status": result["status"]}
    if result["status"] != FINISHED:
        return row | {"reason": result["reason"]}
    report = result["report"]
    row |= {name: metric(report, name) for name in (*study.metrics, *study.shown)}
    return row | {name: report[name] for name in ("train_petaflop", "train_seconds", "git_commit", "device")}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _distinct(finished: Sequence[Result], name: str) -> list[Any]:
    """The values of a report's key over the cells; more than one where they were run in several places or versions."""
    values = [result["report"][name] for result in finished]
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _command(study: Study, budget: str, source: SourceConfig, results: Sequence[Result]) -> str:
    """Commands that run at least these jobs, one for each range of seeds."""
    seeds = sorted({result["seed"] for result in results})
    names = [variant.name for variant in study.variants if any(variant.name == one["variant"] for one in results)]
    command = ["python", "-m", "tuning.study", f"--study={study.name}", f"--budget={budget}"]
    more = [f"--variants={','.join(names)}"] if 0 < len(names) < len(study.variants) else []
    usual = SourceConfig()
    values = source.as_dict(identity_only=True).items()
    more += [f"--{name}={as_text(value)}" for name, value in values if value != getattr(usual, name)]
    commands = []
    for first, number in _without_gaps(seeds) or [(0, 0)]:
        which = [f"--repeats={number}"] if number else []
        which += [f"--seed={first}"] if first else []
        commands.append(shlex.join([*command, *which, *more]))
    return " && ".join(commands)


def _without_gaps(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """The first one and the length of each run of consecutive seeds."""
    runs: list[tuple[int, int]] = []
    for seed in seeds:
        first, number = runs[-1] if runs else (seed, 0)
        if seed == first + number:
            runs = [*runs[:-1], (first, number + 1)]
        else:
            runs.append((seed, 1))
    return runs


def _train_command(study: str, variant: str, config: Mapping[str, Any]) -> str:
    """The command that trains a variant in a run folder."""
    data, train = saved.configs(config)
    options = [f"--{name}={as_text(value)}" for name, value in preset_changes(data, train).items()]
    options = [f"--preset={train.preset}", *options, f"--run_dir=runs/{study}-{variant}"]
    return shlex.join(["python", "-m", "models.train", *options])
