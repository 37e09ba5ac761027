"""Every row of the study that this project replaces, beside ours: one table, drawn from committed results alone.

    reports of docs/studies, runs of benchmarks/results ──▶ rows ──▶ benchmarks.readme_tables ──▶ README.md

What has not been run says so.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from models.reporting import figures
from pipeline.common import markdown_table
from tuning.studies import catalogue
from tuning.studies.design import METRICS, Combination, Study, Variant

NOT_RUN = "not run yet"
HEADING = ("the study's row", "command", "the study (%)", "ours (%)", "ours, minus our reference, paired by seed")
# What the study claims or asks without figures, and the study of ours that answers each.
CLAIMS = {
    "augmented_images": "more augmented images help",
    "normalisation": "dividing by 255 is enough",
    "dropout": "dropout of 0.3 or 0.4",
    "l2": "L2 of 0.1 or 0.2",
    "initialisation": "initial weights move the result",
    "augmentation": "its augmentation helps",
    "single_vs_joint": "a model for each kind of label",
    "transfer": "the fine architecture for coarse labels",
}


@dataclasses.dataclass(frozen=True)
class ModelRow:
    """One of the study's models: a preset of ours, its result in benchmarks/results."""

    name: str
    preset: str
    study: str
    metric: str
    shows_training: bool = False  # of a model that is there to memorise


MODELS = (
    ModelRow("baseline CNN, fine", "baseline", "training 91.7, test 11.39", "fine_accuracy", shows_training=True),
    ModelRow("Model 1, fine", "study_model_1", "validation 54.76", "fine_accuracy"),
    ModelRow("final model, fine", "study_fine", "validation 61.98, test 61.88", "fine_accuracy"),
    ModelRow("coarse, the fine architecture", "study_coarse_transferred", "validation 70.6", "coarse_accuracy"),
    ModelRow("coarse, tuned", "study_coarse", "validation 70.47", "coarse_accuracy"),
    ModelRow("final model, coarse", "study_coarse", "test 72.49", "coarse_accuracy"),
)


def table(results: pathlib.Path, reports: pathlib.Path) -> list[str]:
    """The table's lines, in Markdown.

    Args:
      results: folder of PRESET-cifar100.json, as benchmarks.accuracy or a run leave them.
      reports: folder of STUDY/report.json, as tuning.study leaves them.
    """
    rows = [_model(row, results) for row in MODELS]
    for study in catalogue.STUDIES.values():
        rows += _study(study, _read(reports / study.name / "report.json"))
    return markdown_table.lines(HEADING, rows)


def _model(row: ModelRow, results: pathlib.Path) -> list[str]:
    train = f"python -m models.train --preset={row.preset}"
    document = _read(results / f"{row.preset}-cifar100.json")
    if document is None:
        return [row.name, f"`{train}`", row.study, NOT_RUN, ""]
    reports = [run["report"] for run in document["runs"]] if "runs" in document else [document["report"]]
    measured = {}
    if row.shows_training and "rows" in document:
        measured["training"] = f"training {figures.percent(document['rows'][-1][f'train_{row.metric}'])}"
    for split in ("validation", "test"):
        values = [found[row.metric] for report in reports if (found := _evaluations(report).get(split))]
        if values:
            seeds = f", mean of {len(values)} seeds" if len(values) > 1 else ""
            measured[split] = f"{split} {figures.percent(sum(values) / len(values))}{seeds}"
    run_dir = f"runs/{row.preset}-cifar100"
    if len(reports) > 1:
        run_dir = f"runs/{row.preset}-S"
        train += f" --seed=S --run_dir={run_dir}"
    evaluate = f", then `python -m models.evaluate --run_dir={run_dir} --split=test`" if "test" in measured else ""
    return [row.name, f"`{train}`{evaluate}", row.study, ", ".join(measured.values()), ""]


def _evaluations(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Figures of each split that a run was evaluated on; a run evaluated once has them in front alone."""
    return report.get("evaluations") or {report["split"]: report}


def _study(study: Study, report: Mapping[str, Any] | None) -> list[list[str]]:
    """A row a variant that the study measured, one a level where it measured a table, one for a claim."""
    found = {row["name"]: row for row in report["variants"]} if report else {}
    command = f"`{report['command'] if report else f'python -m tuning.study --study={study.name}'}`"
    if study.factors:
        levels = dict.fromkeys(variant.levels[0] for variant in study.variants)
        return [_level(study, level, found, command) for level in levels]
    measured = [variant for variant in study.variants if variant.study_mean is not None]
    # A reader has to see with what they are compared; the row of models that answer together tells it by label.
    compared = set() if study.combinations else {study.against(variant.name) for variant in measured}
    rows = [
        [f"{study.name}: {_words(variant.name)}", command, *_measured(study, variant, found.get(variant.name))]
        for variant in study.variants
        if variant in measured or variant.name in compared
    ]
    if study.name in CLAIMS:
        told = (
            _combined(study, found)
            if study.combinations
            else "; ".join(_told(study, study.metrics[0], found, study.variants))
        )
        rows.append([CLAIMS[study.name], command, figures.MISSING, told or NOT_RUN, ""])
    return rows


def _level(study: Study, level: str, found: Mapping[str, Any], command: str) -> list[str]:
    """A row of a table of two factors: the other factor's levels side by side."""
    of_level = [variant for variant in study.variants if variant.levels[0] == level]
    theirs = [
        f"{variant.levels[1]} {figures.percent(variant.study_mean)}" for variant in of_level if variant.study_mean
    ]
    measured = [
        (variant, _figure(study, variant, found[variant.name])) for variant in of_level if variant.name in found
    ]
    ours = [f"{variant.levels[1]} {figures.spread(figure['mean'], figure['std'])}" for variant, figure in measured]
    verdicts = [f"{variant.levels[1]} {_verdict(study, variant, figure)}" for variant, figure in measured]
    name = f"{study.factors[0]} {_words(level)}"
    return [name, command, ", ".join(theirs), ", ".join(ours) or NOT_RUN, "; ".join(verdicts)]


def _measured(study: Study, variant: Variant, row: Mapping[str, Any] | None) -> list[str]:
    theirs = figures.spread(variant.study_mean, variant.study_std)
    if row is None:
        return [theirs, NOT_RUN, ""]
    figure = _figure(study, variant, row)
    return [theirs, figures.spread(figure["mean"], figure["std"]), _verdict(study, variant, figure)]


def _combined(study: Study, found: Mapping[str, Any]) -> str:
    """The reference beside what several variants' models answer together: each metric, and what they cost."""
    shown: tuple[Variant | Combination, ...] = (study.variant(study.reference), *study.combinations)
    told = [f"{METRICS[metric]}: {', '.join(_told(study, metric, found, shown))}" for metric in study.metrics]
    costs = [f"{_words(one.name)} {found[one.name]['train_petaflop']:.3g}" for one in shown if one.name in found]
    return "; ".join([*told, f"PetaFLOP: {', '.join(costs)}"]) if costs else ""


def _told(study: Study, metric: str, found: Mapping[str, Any], shown: Sequence[Variant | Combination]) -> list[str]:
    """One metric of some rows, each with how it differs."""
    told = []
    for variant in shown:
        if variant.name in found:
            figure = found[variant.name]["measured"][metric]
            verdict = _verdict(study, variant, figure)
            spread = f"{_words(variant.name)} {figures.spread(figure['mean'], figure['std'])}"
            told.append(f"{spread} ({verdict})" if verdict else spread)
    return told


def _figure(study: Study, variant: Variant, row: Mapping[str, Any]) -> Mapping[str, Any]:
    metrics = (variant.study_metric, *study.metrics, *METRICS)
    return next(row["measured"][name] for name in metrics if row["measured"].get(name, {}).get("values"))


def _verdict(study: Study, variant: Variant | Combination, figure: Mapping[str, Any]) -> str:
    """How a row differs from what it is compared with, and by how much the study's own figures do."""
    if variant.name == study.reference:
        return "reference"
    comparison = figure["comparison"]
    if comparison is None or comparison["difference"] is None:
        return ""
    against = study.variant(comparison["against"])
    source = "" if against.name == study.reference else f" from {_words(against.name)}"
    told = f"{100 * comparison['difference']:+.2f}{source}, {comparison['verdict']}"
    if study.factors or isinstance(variant, Combination) or variant.study_mean is None or against.study_mean is None:
        return told
    return f"{told} (the study: {100 * (variant.study_mean - against.study_mean):+.2f})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _read(path: pathlib.Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
