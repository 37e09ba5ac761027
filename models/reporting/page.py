"""A run's page, `report.html`: metrics, cost, learning curves and configuration in one self-contained file.

config.json, metrics.jsonl, report.json, confusion.json ... ──▶ Contents ──▶ report.html, report.md

A script shows the cell under the pointer and filters the confusion matrix; without it the page lacks nothing else.
"""

import base64
import dataclasses
import hashlib
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from models.config import saved
from models.reporting import calibration_plots, confusion, confusion_plots, figures, jinja_templates, plots, sections
from models.reporting.plots import CHARTS
from models.reporting.sections import Grid
from models.runs.folder import RunFolder
from pipeline.common import files, markdown_table, progress
from pipeline.common.markdown_table import literal

TEMPLATES = jinja_templates.beside(__file__)

NUM_RATES = 400  # points of the learning rate's curve


def write(run: RunFolder) -> None:
    """Replace the page of a finished run, and the same figures as Markdown; errors as of `files.writing`."""
    with run.writing(), progress.task(f"drawing {run.page}"):
        evaluated = (run.evaluated(name) for name in ("confusion", "calibration", "mistakes"))
        contents = Contents(run.path, run.config(), run.rows(), run.report(), *evaluated)
        files.write_text(run.path / "report.md", markdown(contents))
        files.write_text(run.page, render(contents))


@dataclasses.dataclass(frozen=True)
class Picture:
    """A confusion matrix on the page: an SVG element, and its counts for the script."""

    name: str
    note: str
    svg: str
    counts: dict[str, Any]
    has_filter: bool = False


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the files of a run hold; without rows its page has no curves, without an evaluation no confusions."""

    path: pathlib.Path
    config: dict[str, Any]
    rows: plots.Rows
    report: dict[str, Any]
    confusion: Mapping[str, Any] | None = None
    calibration: Mapping[str, Any] | None = None
    mistakes: Mapping[str, Any] | None = None


def render(contents: Contents) -> str:
    """The page's HTML."""
    report, rows = contents.report, contents.rows
    script = TEMPLATES.get_template("page.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return TEMPLATES.get_template("page.html.jinja").render(
        **_values(contents),
        script=Markup(script),
        script_digest=digest,
        charts=[(chart.name, chart.note, Markup(svg)) for chart, svg in _charts(contents)],
        confusion=contents.confusion and _confusion_values(contents.confusion),
        calibration_charts=_calibration_charts(report, contents.calibration),
        class_chart=Markup(plots.class_counts(report["examples_per_class"])) if _is_unbalanced(report) else None,
        mistakes=contents.mistakes,
        percent_of=sections.percent_of,
        epochs=sections.epochs(report, rows),
        sizes=[size for size, _ in saved.configs(contents.config)[0].resolutions] if rows else [],
        missing=figures.MISSING,
        config={name: value for name, value in contents.config.items() if name != saved.FORMAT},
        report=report,
    )


def markdown(contents: Contents) -> str:
    """The figures of the page as Markdown: `report.md`."""
    report, values = contents.report, _values(contents)
    lines = [f"# {literal(values['dataset'])}", ""]
    lines += [f"**{literal(values['warning'])}.**", ""] if values["warning"] else []
    lines += [_subtitle(report, literal(values["recipe"])), ""]
    items = [*values["results"], *values["costs"]]
    lines += _table(Grid("", ["", "", ""], [[item.name, f"{item.value} {item.unit}", item.note] for item in items]))
    lines += [values["class_counts"], ""] if values["class_counts"] else []
    confused = sections.mistakes(contents.confusion) if contents.confusion else []
    if contents.mistakes:
        confused.append(sections.confident_mistakes(contents.mistakes))
    grids = [values["calibration"], *confused, sections.epochs(report, contents.rows), values["differences"]]
    for grid in filter(None, grids):
        lines += [f"## {grid.caption or 'Epochs'}", "", *_table(grid)]
        lines += [" ".join(values["calibration_notes"]), ""] if grid is values["calibration"] else []
    return "\n".join([*lines, "## Repeat this run", "", f"    {values['command']}"]) + "\n"


def _table(grid: Grid) -> list[str]:
    def column(place: int, heading: str) -> markdown_table.Column[Sequence[str]]:
        return markdown_table.Column(literal(heading), lambda row: literal(row[place]))

    return [*markdown_table.lines([column(*named) for named in enumerate(grid.headings)], grid.rows), ""]


def _values(contents: Contents) -> dict[str, Any]:
    """What HTML and Markdown have in common."""
    report = contents.report
    return {
        "dataset": figures.dataset_name(report["dataset"]),
        "warning": figures.stand_in_warning(report["dataset"]),
        "recipe": figures.recipe(report),
        "results": figures.results(report),
        "costs": figures.costs(report),
        "class_counts": sections.class_counts(report),
        "calibration": sections.calibration_metrics(report, contents.calibration),
        "calibration_notes": sections.calibration_notes(report, contents.calibration),
        "differences": sections.differences(report),
        "command": command_to_repeat(contents.path),
    }


def _subtitle(report: dict[str, Any], recipe: str) -> str:
    numbers = "{:,} training, {:,} validation and {:,} test images".format(
        *(report[f"num_{split}"] for split in ("train", "validation", "test"))
    )
    return f"Preset **{recipe}**, seed {report['seed']}; {numbers}."


def _charts(contents: Contents) -> list[tuple[plots.Chart, str]]:
    """The charts over the epochs that there are rows for."""
    report, rows = contents.report, contents.rows
    curves = {"learning_rate": learning_rates(contents.config, report["num_train"], rows) if rows else []}
    has_coarse = figures.own_coarse_key(report) is not None
    shown = [chart for chart in CHARTS if plots.has_values(chart, rows)]
    return [(chart, plots.draw(chart, rows, curves, has_coarse=has_coarse)) for chart in shown]


def _is_unbalanced(report: dict[str, Any]) -> bool:
    return any(min(counts) < max(counts) for counts in report.get("examples_per_class", {}).values())


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
    """The values of a `confusion.json`: its pictures, tables and counts."""
    fine, coarse = (confusion.read(document[level]) if document[level] else None for level in ("fine", "coarse"))
    pictures = []
    if fine and coarse:
        svg = confusion_plots.fine(fine)
        pictures.append(Picture("Fine", "classes ordered by superclass", svg, _counts(fine), has_filter=True))
    elif fine:
        svg = confusion_plots.plain(fine, "Confusion matrix")
        pictures.append(Picture("Classes", confusion_plots.plain_note(fine), svg, _counts(fine), has_filter=True))
    if coarse:
        source = sections.COARSE_SOURCES[document["coarse_source"]]
        note = f"the model's coarse prediction, {source}; {confusion_plots.plain_note(coarse)}"
        svg = confusion_plots.plain(coarse, "Coarse confusion matrix")
        pictures.append(Picture("Coarse", note, svg, _counts(coarse), has_filter=not fine))
    return {
        "split": document["split"],
        "num_examples": document["examples_evaluated"],
        "within_superclass": confusion.share_within_superclass(fine) if fine and coarse else None,
        "pictures": pictures,
        "tables": sections.mistakes(document),
    }


def _counts(matrix: confusion.Matrix) -> dict[str, Any]:
    """A matrix for the page's script; superclasses are null where classes have none, or are those themselves."""
    has_superclasses = matrix.superclasses != matrix.names and len(set(matrix.superclasses)) > 1
    cells = np.argwhere(matrix.counts)
    return {
        "names": matrix.names,
        "superclasses": matrix.superclasses if has_superclasses else None,
        "counts": np.column_stack([cells, matrix.counts[tuple(cells.T)]]).tolist(),
    }


def _calibration_charts(report: dict[str, Any], calibration: Mapping[str, Any] | None) -> list[tuple[str, str, Markup]]:
    """The name, the note and the SVG of each chart of the calibration; none where it is not known."""
    names = sections.answers(report, calibration)
    if calibration is None or not names:
        return []
    answers = calibration["splits"][report["split"]]["answers"]
    labels = {answer: name or "predictions" for answer, name in names.items()}
    return [
        (
            "Reliability",
            "15 bins of confidence; on the diagonal, confidence and accuracy are equal",
            Markup(calibration_plots.reliability(answers, labels)),
        ),
        (
            "Risk and coverage",
            "the error where only the most confident predictions are kept",
            Markup(calibration_plots.risk_coverage(answers, labels)),
        ),
    ]
