"""What a session found, for people: its document as a page and on a terminal, drawn from the document alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import rich.box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.reporting import figures
from models.reporting.table import wide_console
from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column
from tuning import statistics
from tuning.sessions.session import COMPLETED, ranked

SHOWN_TRIALS = 20

Record = Mapping[str, Any]


def markdown(found: Mapping[str, Any], pictures: Sequence[str] = ()) -> str:
    """The document as a page.

    Args:
      found: what `session_report.document` made.
      pictures: files beside the page, to be shown on it.
    """
    warning = figures.stand_in_warning(found["dataset"])
    lines = [f"# Tuner session: space {found['space']}, {found['tuner']}", ""]
    lines += [f"**{warning}.**", ""] if warning else []
    lines += [summary(found), ""]
    lines += [*markdown_table.lines(TRIAL_COLUMNS, _best_trials(found)), ""]
    if found["importance"]:
        lines += ["## What mattered", "", *markdown_table.lines(SHARE_COLUMNS, found["importance"].items()), ""]
    if found["retrained"]:
        lines += ["## The best trial, trained again", "", *retrained_lines(found["retrained"]), ""]
    failed = [trial for trial in found["trials"] if trial["status"] != COMPLETED]
    lines += ["## Failed", "", *(f"- {trial['id']}: {trial['reason']}" for trial in failed), ""] if failed else []
    lines += [line for picture in pictures for line in (f"![{picture}]({picture})", "")]
    lines.append(origin(found))
    return "\n".join(lines) + "\n"


def show(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the best trials, and what the session as a whole says."""
    console = console or wide_console()
    warning = figures.stand_in_warning(found["dataset"])
    if warning:
        console.print(Text(warning, style="bold red"))
    heading, *rows = markdown_table.cells(TRIAL_COLUMNS, _best_trials(found))
    table = Table(box=rich.box.SIMPLE)
    for title in heading:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    console.print(Text(summary(found)), soft_wrap=True)
    for line in retrained_lines(found["retrained"]) if found["retrained"] else ():
        console.print(Text(line), soft_wrap=True)
    if warning:
        console.print(Text(warning, style="bold red"))


def origin(found: Mapping[str, Any]) -> str:
    """One line: the command and the commit."""
    return f"Run: `{found['command']}`, {found['git_commit']}"


def summary(found: Mapping[str, Any]) -> str:
    """What was searched, in how many trials and minutes, in which precision."""
    completed = [trial for trial in found["trials"] if trial["status"] == COMPLETED]
    aim = {"both": "the mean of fine and coarse", "fine": "fine", "coarse": "coarse"}[found["objective"]]
    if found["objective"] == "both" and found["fine_weight"] != 0.5:
        aim = f"{found['fine_weight']:g} x fine + {1 - found['fine_weight']:g} x coarse"
    precisions = ", ".join(dict.fromkeys(trial["precision"] for trial in completed)) or "none"
    return (
        f"{figures.dataset_name(found['dataset'])}: {len(completed)} of {len(found['trials'])} trials completed, in "
        f"{found['spent_s'] / 60:.0f} min; the objective is {aim} accuracy on validation at a trial's end. "
        f"Precision of the layers: {precisions}."
    )


def _best_trials(found: Mapping[str, Any]) -> list[tuple[int, Record]]:
    return list(enumerate(ranked(found["trials"])[:SHOWN_TRIALS], start=1))


def told(trial: Record) -> str:
    """A trial's own choices; what Hyperband keeps there for itself is left out."""
    own = {name: value for name, value in trial["hyperparameters"].items() if not name.startswith("tuner/")}
    return ", ".join(f"{name}={_brief(value)}" for name, value in own.items())


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _accuracy(name: str) -> Column[tuple[int, Record]]:
    return Column(f"{name} (%)", lambda row: figures.percent(row[1][name]))


TRIAL_COLUMNS: list[Column[tuple[int, Record]]] = [
    Column("rank", lambda row: str(row[0])),
    Column("trial", lambda row: row[1]["id"]),
    *map(_accuracy, ("objective", "fine", "coarse")),
    Column("epochs", lambda row: f"{row[1]['epochs']:g}"),
    Column("seconds", lambda row: f"{row[1]['seconds']:.0f}"),
    Column("hyperparameters", lambda row: told(row[1])),
]
SHARE_COLUMNS: list[Column[tuple[str, float]]] = [
    Column("hyperparameter", lambda row: row[0]),
    Column("share", lambda row: f"{100 * row[1]:.0f} %"),
]


def retrained_lines(retrained: Mapping[str, Any]) -> list[str]:
    """A list in Markdown: the objective of the preset as it is and of the best trial, seed by seed; then test."""
    lines = []
    for name, words in (("untuned", "the preset as it is"), ("tuned", f"trial {retrained['trial']}, trained again")):
        found = statistics.summarise(list(retrained[name].values()))
        spread = figures.spread(found.mean, found.std)
        lines.append(f"- {words}: {spread} % on validation, seeds {', '.join(retrained[name])}")
    pairs = [retrained["tuned"][seed] - value for seed, value in retrained["untuned"].items()]
    lines.append(f"- the difference, seed by seed: {', '.join(f'{100 * pair:+.2f}' for pair in pairs)} points")
    known = [f"{name} {figures.percent(value)} %" for name, value in retrained["test"].items() if value is not None]
    lines.append(f"- the same trial on test, read once: {', '.join(known)}, mean over the seeds")
    return lines
