"""What a study found: cells' results -> one document, and that as a table for people.

    StudyFolder.results() ──document──▶ report.json ──▶ markdown, rich table, tuning.study_plots

The table and the plots are drawn from the document alone, so that a committed report.json is enough to draw them again.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import rich.box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models import presets
from models.reporting import figures
from models.reporting.table import wide_console
from models.run_folder import with_defaults
from models.train_config import TrainConfig
from pipeline import errors
from pipeline.config import build
from pipeline.data_config import DataConfig
from tuning import statistics
from tuning.study_design import METRICS, Study
from tuning.study_folder import FINISHED

Result = Mapping[str, Any]


def metric(report: Mapping[str, Any], name: str) -> float | None:
    """One of METRICS of a run's report, 0 to 1; None where the run has no such answer."""
    if name == "own_coarse_accuracy":
        name = {"head": "coarse_accuracy", "summed": "coarse_from_fine_accuracy"}[report["coarse_source"]]
    return report[name]


def document(study: Study, budget: str, dataset: str, results: Sequence[Result], command: str) -> dict[str, Any]:
    """The whole of `report.json`.

    Args:
      study: its definition.
      budget: one of BUDGETS.
      dataset: the data set's name.
      results: of the cells that were run, finished or failed; those of variants that the study lost are passed over.
      command: what was typed.

    Raises:
      errors.FailedError: a result is not of validation.
    """
    names = {variant.name for variant in study.variants}
    results = [result for result in results if result["variant"] in names]
    finished = [result for result in results if result["status"] == FINISHED]
    for result in finished:
        if result["report"]["split"] != "validation":
            raise errors.FailedError(f"cell {result['variant']}: measured on {result['report']['split']}")
    rows = [_variant_row(study, variant.name, finished) for variant in study.variants]
    rows += [_combination_row(study, place, rows, finished) for place in range(len(study.combinations))]
    rows = [row for row in rows if row["seeds"]]
    num_comparisons = _compare(study, rows)
    _share_comparisons(study, rows)
    return {
        "study": study.name,
        "question": study.question,
        "dataset": dataset,
        "budget": budget,
        "split": "validation",
        "num_train": _distinct(finished, "num_train"),
        "num_validation": _distinct(finished, "num_validation"),
        "reference": study.reference,
        "metrics": list(study.metrics),
        "shown": list(study.shown),
        "factors": list(study.factors),
        "interval_level": statistics.LEVEL,
        "correction": f"Holm, over {num_comparisons} comparisons",
        "variants": rows,
        "cells": [_cell_row(study, result) for result in results],
        "command": command,
        "device": _distinct(finished, "device"),
        "precision": _distinct(finished, "precision"),
        "versions": _distinct(finished, "versions"),
        "git_commit": _distinct(finished, "git_commit"),
    }


def markdown(report: Mapping[str, Any]) -> str:
    """The document as a page: what was asked, a table a metric, what every row changes, and what it was run with."""
    warning = figures.stand_in_warning(report["dataset"])
    lines = [f"# {report['study']}: {report['question']}", ""]
    lines += [f"**{warning}.**", ""] if warning else []
    lines += [_conditions(report), ""]
    for name in report["metrics"]:
        lines += [f"## {METRICS[name].capitalize()} accuracy (%)", "", *markdown_table(report, name), ""]
    lines += ["## Rows", ""]
    lines += [f"- **{row['name']}**{_explained(row)}" for row in report["variants"]]
    failed = [cell for cell in report["cells"] if cell["status"] != FINISHED]
    lines += ["", "## Failed", ""] if failed else []
    lines += [f"- {cell['variant']}, seed {cell['seed']}: {cell['reason']}" for cell in failed]
    lines += ["", origin(report)]
    return "\n".join(lines) + "\n"


def markdown_table(report: Mapping[str, Any], name: str, with_commands: bool = False) -> list[str]:
    """Lines: one metric's table, a row a variant; if asked for, at its end what trains that variant alone."""
    heading, *rows = _table(report, name)
    if with_commands:
        command_of = {row["name"]: row["command"] for row in report["variants"]}
        heading = [*heading, "command"]
        rows = [[*row, f"`{command}`" if (command := command_of[row[0]]) else ""] for row in rows]
    return [_line(heading), _line(["---"] * len(heading)), *(_line(row) for row in rows)]


def show(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the document's tables; what is not CIFAR-100 says so before and after."""
    console = console or wide_console()
    warning = figures.stand_in_warning(report["dataset"])
    console.print(
        *([Text(warning, style="bold red")] if warning else []), Text(report["question"], style="bold"), sep="\n"
    )
    for name in report["metrics"]:
        heading, *rows = _table(report, name)
        table = Table(title=f"{METRICS[name]} accuracy (%)", title_justify="left", box=rich.box.SIMPLE)
        for place, title in enumerate(heading):
            table.add_column(title, justify="left" if place == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
    console.print(Text(_conditions(report)), soft_wrap=True)
    if warning:
        console.print(Text(warning, style="bold red"))


def _variant_row(study: Study, name: str, finished: Sequence[Result]) -> dict[str, Any]:
    variant = study.variant(name)
    own = sorted((result for result in finished if result["variant"] == name), key=lambda result: result["seed"])
    measured = {
        key: {result["seed"]: value for result in own if (value := metric(result["report"], key)) is not None}
        for key in (*study.metrics, *study.shown)
    }
    row = _row(name, [result["seed"] for result in own], measured)
    row |= {
        "changes": dict(variant.changes),
        "note": variant.note,
        "levels": list(variant.levels),
        "command": _train_command(own[0]["config"]) if own else None,
        "curve": _curve(own),
        **{key: _mean([result["report"][key] for result in own]) for key in ("train_petaflop", "train_seconds")},
    }
    if variant.study_mean is not None:
        found = row["measured"].get(variant.study_metric or study.metrics[0])
        if found is not None:
            found |= {"study_mean": variant.study_mean, "study_std": variant.study_std}
    return row


def _combination_row(
    study: Study, place: int, rows: Sequence[dict[str, Any]], finished: Sequence[Result]
) -> dict[str, Any]:
    """A row that answers each metric by another variant's model, over the seeds that all of these have."""
    combination = study.combinations[place]
    parts = {row["name"]: row for row in rows if row["name"] in combination.parts.values()}
    seeds = sorted(set.intersection(*(set(row["seeds"]) for row in parts.values())))
    measured = {
        key: {seed: parts[name]["measured"][key]["values"][str(seed)] for seed in seeds}
        for key, name in combination.parts.items()
    }
    shared = [result["report"] for result in finished if result["variant"] in parts and result["seed"] in seeds]
    costs = {
        key: sum(report[key] for report in shared) / len(seeds) if seeds else None
        for key in ("train_petaflop", "train_seconds")
    }
    row = _row(combination.name, seeds, measured)
    return row | {"changes": {}, "note": combination.note, "levels": [], "command": None, "curve": [], **costs}


def _row(name: str, seeds: list[int], measured: Mapping[str, Mapping[int, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "seeds": seeds, "measured": {}}
    for key, values in measured.items():
        summary = statistics.summarise(list(values.values()))
        row["measured"][key] = {
            "values": {str(seed): value for seed, value in values.items()},
            "mean": summary.mean,
            "std": summary.std,
            "low": summary.low,
            "high": summary.high,
            "study_mean": None,
            "study_std": None,
            "comparison": None,
        }
    return row


def _compare(study: Study, rows: Sequence[dict[str, Any]]) -> int:
    """Put into each row how it differs from the reference in each metric; the number of comparisons corrected for."""
    reference = next((row for row in rows if row["name"] == study.reference), None)
    if reference is None:
        return 0
    measured = [
        (row["measured"][key], statistics.compare(_by_seed(row, key), _by_seed(reference, key)))
        for row in rows
        for key in study.metrics
        if row is not reference
        and row["measured"].get(key, {}).get("values")
        and _same_test(study, rows, row["name"], key) is None
    ]
    judged = statistics.judge([comparison for _, comparison in measured])
    for (figure, _), comparison in zip(measured, judged, strict=True):
        figure["comparison"] = {
            "difference": comparison.difference,
            "low": comparison.low,
            "high": comparison.high,
            "num_pairs": comparison.num_pairs,
            "p_value": comparison.p_value,
            "p_corrected": comparison.p_corrected,
            "verdict": comparison.verdict,
        }
    return sum(comparison.p_value is not None for comparison in judged)


def _share_comparisons(study: Study, rows: Sequence[dict[str, Any]]) -> None:
    """Give combinations the comparisons of the variants that answer for them: to test them twice would cost power."""
    for row in rows:
        for key, figure in row["measured"].items():
            part = _same_test(study, rows, row["name"], key)
            if part is not None:
                figure["comparison"] = part["measured"][key]["comparison"]


def _same_test(study: Study, rows: Sequence[dict[str, Any]], name: str, key: str) -> dict[str, Any] | None:
    """Of a combination, the row that answers the metric for it with the very pairs of seeds; None where none does.

    A combination has only the seeds that all its parts have: where that leaves it fewer pairs, it is a test of its own.
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


def _curve(own: Sequence[Result]) -> list[dict[str, Any]]:
    """Validation by epoch, mean over the seeds, beside the images seen by then."""
    return [
        {
            "images": epoch[0]["step"] * own[0]["config"]["batch_size"],
            **{name: _mean([metric(_validation(row, own[0]["report"]), name) for row in epoch]) for name in METRICS},
        }
        for epoch in zip(*(result["rows"] for result in own), strict=False)
    ]


def _validation(row: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """A row of metrics.jsonl as if it were a report."""
    found = {name: row.get(f"validation_{name}") for name in METRICS}
    return found | {"coarse_source": report["coarse_source"]}


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
    found: list[Any] = []
    for result in finished:
        if result["report"][name] not in found:
            found.append(result["report"][name])
    return found


def _train_command(config: Mapping[str, Any]) -> str:
    """What trains a cell alone."""
    config, preset = with_defaults(dict(config)), presets.preset(config["preset"])
    given = [f"--preset={config['preset']}"]
    for kind in (DataConfig, TrainConfig):
        standard = build(kind, preset, {"preset": config["preset"]}).as_dict(identity_only=True)
        given += [f"--{name}={config[name]}" for name, value in standard.items() if config[name] != value]
    return shlex.join(["python", "-m", "models.train", *given])


def _table(report: Mapping[str, Any], name: str) -> list[list[str]]:
    """Heading and rows of one metric's table; the study's column is there where it measured anything."""
    rows = [row for row in report["variants"] if row["measured"].get(name, {}).get("values")]
    shown = [other for other in (*report["metrics"], *report["shown"]) if other != name]
    has_study = any(row["measured"][name]["study_mean"] is not None for row in rows)
    heading = ["variant", "seeds", "mean ± std", "95 % interval", f"minus {report['reference']}", "p (Holm)", "verdict"]
    heading += ["the study"] if has_study else []
    heading += [*(METRICS[other] for other in shown), "PetaFLOP", "seconds"]
    table = [heading]
    for row in rows:
        figure = row["measured"][name]
        cells = [row["name"], str(len(figure["values"])), _spread(figure["mean"], figure["std"])]
        cells += [
            _interval(figure["low"], figure["high"]),
            *_comparison(figure["comparison"], row["name"] == report["reference"]),
        ]
        cells += [_spread(figure["study_mean"], figure["study_std"])] if has_study else []
        cells += [figures.percent(row["measured"].get(other, {}).get("mean")) for other in shown]
        table.append([*cells, _petaflop(row["train_petaflop"]), f"{row['train_seconds']:,.0f}"])
    return table


def _comparison(comparison: Mapping[str, Any] | None, is_reference: bool) -> list[str]:
    if is_reference:
        return ["reference", "", ""]
    if comparison is None:
        return [figures.MISSING] * 3
    if comparison["difference"] is None:
        return [figures.MISSING, figures.MISSING, comparison["verdict"]]
    difference = f"{100 * comparison['difference']:+.2f}"
    if comparison["low"] is not None:
        difference += f" ({100 * comparison['low']:+.2f} to {100 * comparison['high']:+.2f})"
    p_value = figures.MISSING if comparison["p_corrected"] is None else f"{comparison['p_corrected']:.2g}"
    return [difference, p_value, comparison["verdict"]]


def _spread(mean: float | None, std: float | None) -> str:
    return figures.percent(mean) + (f" ± {figures.percent(std)}" if std is not None else "")


def _interval(low: float | None, high: float | None) -> str:
    return figures.MISSING if low is None else f"{figures.percent(low)} to {figures.percent(high)}"


def _petaflop(value: float) -> str:
    return f"{value:.3g}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _explained(row: Mapping[str, Any]) -> str:
    changes = ", ".join(f"{name}={value!r}" for name, value in row["changes"].items())
    told = "; ".join(part for part in (changes, row["note"]) if part)
    return (f": {told}" if told else "") + (f". `{row['command']}`" if row["command"] else "")


def _conditions(report: Mapping[str, Any]) -> str:
    counts = [f"{count:,}" for count in report["num_train"]], [f"{count:,}" for count in report["num_validation"]]
    return (
        f"{figures.dataset_name(report['dataset'])}, budget {report['budget']}: "
        f"{' or '.join(counts[0]) or 'no'} training and {' or '.join(counts[1]) or 'no'} validation images; accuracies "
        f"are of validation, single view. Intervals are 95 % t intervals; differences are paired by seed, and p-values "
        f"of paired t-tests corrected ({report['correction']}). With few seeds, no difference shown is not equality."
    )


def origin(report: Mapping[str, Any]) -> str:
    """One line: the command, and the commits, machines and precisions of what it found."""
    parts = (report["git_commit"], report["device"], report["precision"])
    found = "; ".join(" and ".join(str(value) for value in part) or "nothing finished" for part in parts)
    return f"Run: `{report['command']}`, {found}"
