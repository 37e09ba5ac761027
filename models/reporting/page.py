"""What a run scored and cost, and how it got there, as `report.html`: one file that needs nothing else.

    config.json, metrics.jsonl, report.json, confusion.json ──▶ text of each section ──▶ report.html

Whatever comes from those files passes `_text` on its way into the page.
"""

import html
import pathlib
import shlex
from typing import Any

from models.reporting import confusion_section, figures, plots
from models.reporting.page_style import CSS
from models.runs.folder import RunFolder
from pipeline.common import files

# A browser that honours it runs no script and asks no network, whatever the page came to hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

CHARTS = (
    ("Accuracy", "single view; training's while it trains, validation's after each epoch", plots.accuracy),
    ("Cross-entropy", "of each head, without label smoothing", plots.cross_entropy),
    ("Objective", "what training minimises: smoothing and weights included", plots.objective),
    ("Learning rate", "of each epoch's last step", plots.learning_rate),
)

# Key of a row, head of its column, and how a value reads; columns that hold nothing are left out.
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
    text = render(run.path, run.config(), run.rows(), run.report(), run.confusion())
    files.write_text(run.path / "report.html", text)


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
      config: what `config.json` holds.
      rows: what `metrics.jsonl` holds, at least one epoch.
      report: what `report.json` holds.
      confusion: what `confusion.json` holds; None for a run that was not evaluated since it was trained.
    """
    sections = (
        _alarm(report, "alarm"),
        _headline(report),
        _cards("cards main", [*figures.accuracies(report), figures.evaluated_on(report)]),
        _cards("cards", figures.costs(report)),
        _curves(rows, report),
        confusion_section.render(confusion),
        _epochs(rows),
        _configuration(config),
        _environment(report),
        _repetition(path),
        _alarm(report, "alarm last"),
    )
    title = _text(f"{figures.dataset_name(report['dataset'])}, {report['preset']}")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{CSS}</style>
</head>
<body>
<main>
{"".join(sections)}</main>
</body>
</html>
"""


def _alarm(report: dict[str, Any], style: str) -> str:
    warning = figures.stand_in_warning(report["dataset"])
    return f'<p class="{style}" role="alert">{_text(warning)}</p>\n' if warning else ""


def _headline(report: dict[str, Any]) -> str:
    train, validation, test = (f"{report[f'num_{split}']:,}" for split in ("train", "validation", "test"))
    return f"""<h1>{_text(figures.dataset_name(report["dataset"]))}</h1>
<p class="quiet">Preset <strong>{_text(figures.recipe(report))}</strong>, seed {_text(report["seed"])};
{train} training, {validation} validation and {test} test images</p>
"""


def _cards(style: str, shown: list[figures.ReportItem]) -> str:
    return f'<dl class="{style}">\n{"".join(_card(figure) for figure in shown)}</dl>\n'


def _card(figure: figures.ReportItem) -> str:
    return f"""<div class="{"card" if figure.unit else "card word"}"><dt>{_text(figure.name)}</dt>
<dd><div class="value">{_breakable(figure.value)} <span class="unit">{_text(figure.unit)}</span></div>
<div class="note">{_text(figure.note)}</div></dd></div>
"""


def _curves(rows: plots.Rows, report: dict[str, Any]) -> str:
    charts = "".join(
        f"<figure><figcaption>{name}<span>{note}</span></figcaption>{draw(rows)}</figure>\n"
        for name, note, draw in CHARTS
    )
    return f"""<h2>Learning curves</h2>
<p class="quiet">{_curves_note(report)}</p>
<div class="charts">
{charts}</div>
"""


def _curves_note(report: dict[str, Any]) -> str:
    training = "Training's figures are means over the epoch, of the images as trained on, while the weights change."
    if not report["num_validation"]:
        return f"Nothing was held out for validation. {training}"
    if report["split"] == "test":
        return f"The figures above are of the test split; these curves are of validation and training. {training}"
    return training


def _epochs(rows: plots.Rows) -> str:
    columns = [column for column in COLUMNS if any(row[column[0]] is not None for row in rows)]
    head = "".join(f'<th scope="col">{name}</th>' for _, name, _ in columns)
    body = "".join(f"<tr>{_epoch(row, columns)}</tr>\n" for row in rows)
    return f"""<h2>Epochs</h2>
<div class="scroll epochs" tabindex="0"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}</tbody></table></div>
"""


def _epoch(row: dict[str, Any], columns: list[tuple[str, str, Any]]) -> str:
    values = (figures.MISSING if row[key] is None else written(row[key]) for key, _, written in columns)
    return "".join(f"<td>{_text(value)}</td>" for value in values)


def _configuration(config: dict[str, Any]) -> str:
    settings = list(config.items())
    half = (len(settings) + 1) // 2
    return f"""<h2>Configuration</h2>
<div class="pair">
{_definitions(settings[:half])}{_definitions(settings[half:])}</div>
"""


def _environment(report: dict[str, Any]) -> str:
    known = [("device", report["device"]), ("commit", report["git_commit"] or "away from a git checkout")]
    return f"""<h2>Environment</h2>
<div class="pair">
{_definitions(list(report["versions"].items()))}{_definitions(known)}</div>
"""


def _repetition(path: pathlib.Path) -> str:
    config, again = shlex.quote(str(path / "config.json")), shlex.quote(f"{path}-again")
    return f"""<h2>Repeat this run</h2>
<pre>{_text(f"python -m models.train --config={config} --run_dir={again}")}</pre>
"""


def _definitions(pairs: list[tuple[str, Any]]) -> str:
    rows = "".join(_definition(name, figures.MISSING if value in (None, "") else value) for name, value in pairs)
    return f'<div class="scroll"><table><tbody>\n{rows}</tbody></table></div>\n'


def _definition(name: str, value: Any) -> str:
    return f'<tr><th scope="row">{_breakable(name)}</th><td>{_text(value)}</td></tr>\n'


def _breakable(value: Any) -> str:
    """For names such as `mixed_bfloat16`, which are wider than a card on a phone."""
    return _text(value).replace("_", "_<wbr>")


def _text(value: Any) -> str:
    return html.escape(str(value))
