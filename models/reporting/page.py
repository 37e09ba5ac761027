"""A run's page, `report.html`: metrics, cost, learning curves and configuration in one self-contained file.

config.json, metrics.jsonl, report.json, confusion.json ──▶ values of the template ──▶ report.html
"""

import pathlib
import shlex
from typing import Any

from markupsafe import Markup

from models.reporting import confusion_section, figures, plots
from models.runs.folder import RunFolder
from pipeline.common import files, html

TEMPLATES = html.environment(pathlib.Path(__file__).parent / "templates")

CHARTS = (
    ("Accuracy", "single view; training's while it trains, validation's after each epoch", plots.accuracy),
    ("Cross-entropy", "of each head, without label smoothing", plots.cross_entropy),
    ("Objective", "what training minimises: smoothing and weights included", plots.objective),
    ("Learning rate", "of each epoch's last step", plots.learning_rate),
)

# Key of a row, head of its column, format of a value; columns that hold nothing are left out.
COLUMNS = (
    ("epoch", "epoch", str),
    ("step", "step", "{:,}".format),
    ("learning_rate", "learning rate", figures.brief),
    ("train_loss", "training objective", "{:.4f}".format),
    ("validation_loss", "validation objective", "{:.4f}".format),
    ("train_fine_accuracy", "training fine, %", figures.percent),
    ("validation_fine_accuracy", "validation fine, %", figures.percent),
    ("train_coarse_accuracy", "training coarse, %", figures.percent),
    ("validation_coarse_accuracy", "validation coarse, %", figures.percent),
    ("validation_coarse_from_fine_accuracy", "validation coarse from fine, %", figures.percent),
    ("examples_per_second", "images/s", "{:,.0f}".format),
    ("train_seconds", "training so far, s", "{:,.1f}".format),
)


def write(run: RunFolder) -> None:
    """Replace the page of a finished run."""
    files.write_text(run.page, render(run.path, run.config(), run.rows(), run.report(), run.confusion()))


def render(
    path: pathlib.Path,
    config: dict[str, Any],
    rows: plots.Rows,
    report: dict[str, Any],
    confusion: dict[str, Any] | None = None,
) -> str:
    """The page's HTML.

    Args:
      path: the run's folder, for the command that repeats the run.
      config: of `config.json`.
      rows: of `metrics.jsonl`, at least one.
      report: of `report.json`.
      confusion: of `confusion.json`; None for a run that was not evaluated.
    """
    columns = [column for column in COLUMNS if any(row[column[0]] is not None for row in rows)]
    return TEMPLATES.get_template("page.html.jinja").render(
        dataset=figures.dataset_name(report["dataset"]),
        warning=figures.stand_in_warning(report["dataset"]),
        recipe=figures.recipe(report),
        num_images=[report[f"num_{split}"] for split in ("train", "validation", "test")],
        results=[*figures.accuracies(report), figures.evaluated_on(report)],
        costs=figures.costs(report),
        charts=[(name, note, Markup(draw(rows))) for name, note, draw in CHARTS],
        confusion=confusion and confusion_section.values(confusion),
        epoch_heads=[head for _, head, _ in columns],
        epoch_rows=[
            [figures.MISSING if row[key] is None else write_value(row[key]) for key, _, write_value in columns]
            for row in rows
        ],
        command=command_to_repeat(path),
        missing=figures.MISSING,
        config=config,
        report=report,
    )


def command_to_repeat(path: pathlib.Path) -> str:
    """The shell command that repeats the run in `path` in another folder."""
    config, run_dir = shlex.quote(str(path / "config.json")), shlex.quote(f"{path}-again")
    return f"python -m models.train --config={config} --run_dir={run_dir}"
