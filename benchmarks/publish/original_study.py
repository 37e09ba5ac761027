"""Tables of the original study, which this project replaces, and of our results, for docs/original_study.md.

Our results come from benchmarks/results (models) and from the reports in docs/studies (hypotheses).
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from benchmarks.publish.published_results import ORIGINAL_COARSE_PERCENT, ORIGINAL_FINE_PERCENT
from models.reporting import figures
from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column
from tuning.studies import page
from tuning.studies.design import METRICS

NOT_RUN = "not run yet"
# Studies of ours that repeat a table of the original study, or answer a question that it left open: what it states.
QUESTIONS = {
    "pooling": "average pooling is better than max pooling",
    "padding": "padding makes no difference",
    "batch_norm": "batch normalization helps, and so does dropout in addition",
    "dropout": "models use dropout of 0.3 or 0.4",
    "l2": "models use L2 regularization of 0.1 or 0.2",
    "activation_optimizer": "35 pairs of activation and optimizer are compared",
    "normalisation": "dividing pixels by 255 is enough",
    "augmentation": "augmentation helps",
    "augmentation_length": "augmentation helps",
    "augmented_images": "more augmented images help",
    "single_vs_joint": "each kind of label has a model of its own",
    "transfer": "coarse labels use the network of the fine ones",
    "initialisation": "initial weights change the result",
}


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of the original study: its accuracies there (%), and the preset that trains it here."""

    name: str
    preset: str
    original: str
    metric: str
    shows_training: bool = False  # of a model that shows how a network memorises


MODELS = (
    Model("baseline CNN, fine", "baseline", "training 91.7, test 11.39", "fine_accuracy", shows_training=True),
    Model("Model 1, fine", "original_model_1", "validation 54.76", "fine_accuracy"),
    Model("final model, fine", "original_fine", f"validation 61.98, test {ORIGINAL_FINE_PERCENT}", "fine_accuracy"),
    Model("coarse, the fine architecture", "original_coarse_transferred", "validation 70.6", "coarse_accuracy"),
    Model("coarse, tuned", "original_coarse", "validation 70.47", "coarse_accuracy"),
    Model("final model, coarse", "original_coarse", f"test {ORIGINAL_COARSE_PERCENT}", "coarse_accuracy"),
)


def models(results: pathlib.Path) -> list[str]:
    """The table of the models, from a folder of PRESET-cifar100.json as benchmarks.accuracy or a run leave them."""
    columns: list[Column[Model]] = [
        Column("model", lambda model: model.name),
        Column("command", lambda model: f"`python -m models.train --preset={model.preset}`"),
        Column("original study (%)", lambda model: model.original),
        Column("ours (%)", lambda model: _accuracies(model, results / f"{model.preset}-cifar100.json")),
    ]
    return markdown_table.lines(columns, MODELS)


def _accuracies(model: Model, path: pathlib.Path) -> str:
    """Our accuracy on each split that the runs of a file were evaluated on, a mean over seeds."""
    if not path.exists():
        return NOT_RUN
    document = json.loads(path.read_text(encoding="utf-8"))
    reports = [run["report"] for run in document.get("runs", [document])]
    texts = []
    if model.shows_training and "rows" in document:
        texts.append(f"training {figures.percent(document['rows'][-1][f'train_{model.metric}'])}")
    for split in ("validation", "test"):
        # A run that was evaluated once has no `evaluations`: the report itself is of that split.
        evaluations = [(report.get("evaluations") or {report["split"]: report}).get(split) for report in reports]
        values = [evaluation[model.metric] for evaluation in evaluations if evaluation]
        seeds = f", mean of {len(values)} seeds" if len(values) > 1 else ""
        texts += [f"{split} {figures.percent(sum(values) / len(values))}{seeds}"] if values else []
    note = figures.split_note(reports[0])
    return ", ".join(texts) + (f" ({note})" if note else "")


def hypotheses(studies: pathlib.Path) -> list[str]:
    """A section for each study of ours that answers the original one: its command, then a table for each metric.

    The folder `studies` has STUDY/report.json, as tuning.study leaves them.
    """
    lines: list[str] = []
    for name, claim in QUESTIONS.items():
        path = studies / name / "report.json"
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        lines += [f"### {name}", "", f"The original study: {claim}.", ""]
        lines += _section(name, report) if report else [f"`python -m tuning.study --study={name}`: {NOT_RUN}.", ""]
    return lines[:-1]


def _section(name: str, report: Mapping[str, Any]) -> list[str]:
    note = figures.split_note(report)
    pages = f"[every figure](studies/{name}/report.md)" + (f"; {note}" if note else "")
    lines = [report["question"], f"`{report['command']}`", f"({pages})", ""]
    for metric in report["metrics"]:
        rows = page.measured(report, metric)
        lines += [f"{METRICS[metric].capitalize()} accuracy (%):", ""] if len(report["metrics"]) > 1 else []
        lines += [*markdown_table.lines(_columns(report, metric), rows), ""]
    return lines


def _columns(report: Mapping[str, Any], metric: str) -> list[Column[Mapping[str, Any]]]:
    """Columns of the page of our study, and the original study's figures and differences."""
    shown = {column.heading: column for column in page.columns(report, metric)}
    originals = {row["name"]: row["measured"][metric]["study_mean"] for row in page.measured(report, metric)}

    def original(row: Mapping[str, Any]) -> str:
        return figures.spread(row["measured"][metric]["study_mean"], row["measured"][metric]["study_std"])

    def difference(row: Mapping[str, Any]) -> str:
        against = (row["measured"][metric]["comparison"] or {}).get("against")
        pair = originals[row["name"]], originals.get(against)
        return "" if None in pair else f"{100 * (pair[0] - pair[1]):+.2f}"

    return [
        shown["variant"],
        Column("original study", original),
        dataclasses.replace(shown["mean ± std"], heading="ours"),
        shown[f"minus {report['reference']}"],
        shown["p (Holm)"],
        shown["verdict"],
        Column("original study's difference", difference, is_optional=True),
        shown["PetaFLOP"],
    ]
