"""A run's page, `report.html`: metrics, cost, learning curves and configuration in one self-contained file.

config.json, metrics.jsonl, report.json, confusion.json ──▶ values of the template ──▶ report.html
"""

import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from models.config import saved
from models.reporting import confusion, confusion_plots, figures, plots
from models.reporting.plots import CHARTS
from models.runs.folder import RunFolder
from pipeline.common import files, progress

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,  # a value that is missing is an error
    trim_blocks=True,
    lstrip_blocks=True,
)

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
    ("train_seconds", "training so far, s", "{:,.1f}".format),
)

COARSE_SOURCES = {"head": "from the coarse head", "summed": "summed from the fine probabilities"}
NUM_MISTAKES = 10
NUM_RATES = 400  # points of the learning rate's curve


def write(run: RunFolder) -> None:
    """Replace the page of a finished run; errors as of `files.writing`."""
    with run.writing(), progress.task(f"drawing {run.page}"):
        files.write_text(run.page, render(run.path, run.config(), run.rows(), run.report(), run.confusion()))


def render(
    path: pathlib.Path,
    config: dict[str, Any],
    rows: plots.Rows,
    report: dict[str, Any],
    confusions: Mapping[str, Any] | None = None,
) -> str:
    """The page's HTML, of the contents of a run folder's files; without rows it has no curves.

    Confusions are only there after an evaluation.
    """
    curves = {"learning_rate": learning_rates(config, report["num_train"], rows) if rows else []}
    columns = [column for column in COLUMNS if any(row[column[0]] is not None for row in rows)]
    has_coarse = figures.own_coarse_key(report) is not None
    charts = [(chart, plots.draw(chart, rows, curves, has_coarse=has_coarse)) for chart in CHARTS if rows]
    return TEMPLATES.get_template("page.html.jinja").render(
        dataset=figures.dataset_name(report["dataset"]),
        warning=figures.stand_in_warning(report["dataset"]),
        recipe=figures.recipe(report),
        num_images=[report[f"num_{split}"] for split in ("train", "validation", "test")],
        results=figures.results(report),
        costs=figures.costs(report),
        charts=[(chart.name, chart.note, Markup(svg)) for chart, svg in charts],
        confusion=confusions and _confusion_values(confusions),
        epoch_heads=[head if has_coarse else head.replace("fine", "accuracy") for _, head, _ in columns],
        epoch_rows=[
            [figures.MISSING if row[key] is None else write_value(row[key]) for key, _, write_value in columns]
            for row in rows
        ],
        command=command_to_repeat(path),
        missing=figures.MISSING,
        config={name: value for name, value in config.items() if name != saved.FORMAT},
        report=report,
    )


def learning_rates(config: dict[str, Any], num_train: int, rows: plots.Rows) -> list[tuple[float, float]]:
    """(epoch, learning rate) at steps of a run, close together; none where no schedule sets the rate.

    `config` is the saved configuration. A rollback, from which a row has another rate than the schedule, scales its
    epoch.
    """
    import tensorflow as tf

    from models.optimizers import schedules
    from pipeline.epochs import EpochSchedule

    data, train = saved.configs(config)
    epochs = EpochSchedule.from_config(data, num_train, train.epochs, train.max_steps)
    if train.schedule == "constant":
        return []

    def scheduled(steps: np.ndarray) -> np.ndarray:
        return np.asarray(schedules.learning_rate(train, tf.constant(steps), epochs.total_steps))

    last = np.array([row["step"] for row in rows])  # after each epoch
    peak = round(train.warmup_fraction * epochs.total_steps)
    steps = np.unique(np.append(np.linspace(0, last[-1] - 1, NUM_RATES, dtype=np.int64), [*(last - 1), peak]))
    steps = steps[steps < last[-1]]
    ends, expected = np.array([row["learning_rate"] for row in rows]), scheduled(last - 1)
    is_positive = np.minimum(ends, expected) > 0  # it may round to 0 at the end of a long cosine
    ratios = np.divide(ends, expected, where=is_positive, out=np.ones(len(rows)))
    rates = scheduled(steps) * ratios[np.searchsorted(last, steps, side="right")]
    places = np.interp(steps + 1, [0, *last], [0, *(row["epoch"] for row in rows)])  # where the rows' markers are
    return list(zip(places.tolist(), rates.tolist(), strict=True))


def command_to_repeat(path: pathlib.Path) -> str:
    """The shell command that repeats the run in `path` in another folder."""
    config, run_dir = shlex.quote(str(path / "config.json")), shlex.quote(f"{path}-again")
    return f"python -m models.train --config={config} --run_dir={run_dir}"


def _confusion_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a `confusion.json`: pictures are (name, note, SVG), tables (caption, heads, rows of text)."""
    fine, coarse = (confusion.read(document[level]) if document[level] else None for level in ("fine", "coarse"))
    pictures, tables, accuracies = [], [], {}
    if fine:
        if coarse:
            pictures.append(("Fine", "classes ordered by superclass", Markup(confusion_plots.fine(fine))))
        else:
            svg = confusion_plots.plain(fine, "Confusion matrix")
            pictures.append(("Classes", confusion_plots.plain_note(fine), Markup(svg)))
        accuracies["fine, %"] = confusion.accuracy_by_superclass(fine)
        heads = ["true class", "predicted class", "of its images, %", *(["same superclass"] if coarse else [])]
        mistakes = [
            [one.true, one.predicted, figures.brief(100 * one.share), "yes" if one.is_within_superclass else "no"]
            for one in confusion.most_confused(fine, NUM_MISTAKES)
        ]
        caption = "Most frequent fine mistakes" if coarse else "Most frequent mistakes"
        tables.append((caption, heads, [row[: len(heads)] for row in mistakes]))
    if coarse:
        source = COARSE_SOURCES[document["coarse_source"]]
        note = f"the model's coarse prediction, {source}; {confusion_plots.plain_note(coarse)}"
        pictures.append(("Coarse", note, Markup(confusion_plots.plain(coarse, "Coarse confusion matrix"))))
        accuracies["coarse, %"] = confusion.accuracy_by_superclass(coarse)
        rows = [[name, *(figures.percent(column[name]) for column in accuracies.values())] for name in coarse.names]
        tables.append(("Accuracy by superclass", ["superclass", *accuracies], rows))
    return {
        "split": document["split"],
        "num_examples": document["examples_evaluated"],
        "within_superclass": confusion.share_within_superclass(fine) if fine and coarse else None,
        "pictures": pictures,
        "tables": tables,
    }
