"""The tables of a run's page, as texts, for HTML and Markdown alike."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from models.reporting import confusion, figures

# Key of a row, head of its column, format of a value; columns that hold nothing are left out.
COLUMNS = (
    ("epoch", "epoch", str),
    ("step", "step", "{:,}".format),
    ("learning_rate", "last learning rate", figures.brief),
    ("train_loss", "training objective", "{:.4f}".format),
    ("validation_loss", "validation objective", "{:.4f}".format),
    ("train_fine_accuracy", "training fine, %", figures.percent),
    ("validation_fine_accuracy", "validation fine, %", figures.percent),
    ("train_coarse_accuracy", "training coarse head, %", figures.percent),
    ("validation_coarse_accuracy", "validation coarse head, %", figures.percent),
    ("validation_coarse_from_fine_accuracy", "validation coarse from fine, %", figures.percent),
    ("examples_per_second", "images/s", "{:,.0f}".format),
    ("rss_mib", "memory, MiB", "{:,.0f}".format),
    ("train_seconds", "training so far, s", "{:,.1f}".format),
)
COARSE_SOURCES = {"head": "from the coarse head", "summed": "summed from the fine probabilities"}
NUM_MISTAKES = 10


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table of texts: caption, headings, and rows of as many cells."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def epochs(report: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Grid:
    """The metrics of each epoch."""
    columns = [column for column in COLUMNS if any(row.get(column[0]) is not None for row in rows)]
    has_coarse = figures.own_coarse_key(report) is not None
    return Grid(
        "",
        [head if has_coarse else head.replace("fine", "accuracy") for _, head, _ in columns],
        [
            [figures.MISSING if row.get(key) is None else write_value(row[key]) for key, _, write_value in columns]
            for row in rows
        ],
    )


def differences(report: Mapping[str, Any]) -> Grid | None:
    """The fields that differ from the preset; None where none does, or an earlier version wrote the report."""
    changes, standards = report.get("preset_changes", {}), report.get("preset_values", {})
    rows = [[name, shown(value), shown(standards[name])] for name, value in changes.items() if name in standards]
    return Grid("Differences from the preset", ["field", "this run", report["preset"]], rows) if rows else None


def shown(value: Any) -> str:
    """A field's value as text."""
    return figures.MISSING if value in (None, "") else str(value)


def answers(report: Mapping[str, Any], calibration: Mapping[str, Any] | None) -> dict[str, str]:
    """The names of the answers in `calibration.json` whose probabilities are shown: the model's own of each level.

    They are of the split that the report is of; none where that was not evaluated.
    """
    measured = (calibration or {}).get("splits", {}).get(report["split"], {}).get("answers", {})
    coarse_key = figures.own_coarse_key(report)
    own = ("fine", coarse_key.removesuffix("_accuracy")) if coarse_key else ("fine",)
    return {answer: figures.ANSWERS[answer] if coarse_key else "" for answer in own if answer in measured}


def calibration_metrics(report: Mapping[str, Any], calibration: Mapping[str, Any] | None) -> Grid | None:
    """How far the probabilities can be trusted, before and after temperature scaling; None where it is not known."""
    shown = answers(report, calibration)
    if calibration is None or not shown:
        return None
    rows = []
    for answer, name in shown.items():
        measured = calibration["splits"][report["split"]]["answers"][answer]
        for when in ("before", "after"):
            if measured[when] is not None:
                temperature = calibration["temperatures"][answer] if when == "after" else 1.0
                values = (measured[when][key] for key in ("nll", "ece", "brier", "aurc"))
                cells = [name or "labels", f"{temperature:.3f}", *(f"{value:.4f}" for value in values)]
                rows.append(cells)
    headings = ["answer", "temperature", "NLL", "ECE", "Brier score", "area under risk-coverage"]
    return Grid("Calibration", headings, rows)


def calibration_notes(report: Mapping[str, Any], calibration: Mapping[str, Any] | None) -> list[str]:
    """Sentences on the temperatures, on the superclasses of mistakes, and on the agreement of both heads."""
    if calibration is None or not answers(report, calibration):
        return []
    split = calibration["splits"][report["split"]]
    fitted = "The temperatures were fitted on validation." if calibration["fitted_on"] else "No temperature is fitted."
    shares = (
        (split["within_superclass"], "of the fine mistakes predict a class of the true superclass"),
        (
            split["heads_agree"],
            "of the examples have a fine prediction of the superclass that the coarse head predicts",
        ),
    )
    return [fitted, *(f"{figures.percent(share)} % {text}." for share, text in shares if share is not None)]


def confident_mistakes(document: Mapping[str, Any]) -> Grid:
    """The most confident mistakes of a `mistakes.json`, without their images."""
    rows = [
        [f"{one['index']:,}", *(one[key].replace("_", " ") for key in ("true", "predicted")), percent_of(one)]
        for one in document["mistakes"]
    ]
    return Grid("Most confident mistakes", ["example", "true class", "predicted class", "probability, %"], rows)


def percent_of(mistake: Mapping[str, Any]) -> str:
    """The probability of a mistake, in percent."""
    return f"{100 * mistake['probability']:.1f}"


def mistakes(document: Mapping[str, Any]) -> list[Grid]:
    """The most frequent mistakes and the accuracy by superclass of a `confusion.json`."""
    fine, coarse = (confusion.read(document[level]) if document[level] else None for level in ("fine", "coarse"))
    grids, accuracies = [], {}
    if fine:
        accuracies["fine, %"] = confusion.accuracy_by_superclass(fine)
        heads = ["true class", "predicted class", "of its images, %", *(["same superclass"] if coarse else [])]
        rows = [
            [one.true, one.predicted, figures.brief(100 * one.share), "yes" if one.is_within_superclass else "no"]
            for one in confusion.most_confused(fine, NUM_MISTAKES)
        ]
        caption = "Most frequent fine mistakes" if coarse else "Most frequent mistakes"
        grids.append(Grid(caption, heads, [row[: len(heads)] for row in rows]))
    if coarse:
        accuracies["coarse, %"] = confusion.accuracy_by_superclass(coarse)
        rows = [[name, *(figures.percent(column[name]) for column in accuracies.values())] for name in coarse.names]
        grids.append(Grid("Accuracy by superclass", ["superclass", *accuracies], rows))
    return grids


def class_counts(report: Mapping[str, Any]) -> str | None:
    """A sentence on the numbers of training images of the classes; None where an earlier version wrote the report."""
    counts = report.get("examples_per_class", {})
    sentences = []
    for level, values in counts.items():
        name = "class" if len(counts) == 1 else f"{level} class"
        if min(values) == max(values):
            sentences.append(f"{values[0]:,} of each {name}")
        else:
            median = sorted(values)[len(values) // 2]
            sentences.append(f"{min(values):,} to {max(values):,} of a {name}, median {median:,}")
    return f"Training images: {'; '.join(sentences)}." if sentences else None
