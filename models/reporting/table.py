"""Tables on the terminal: of any texts, and a run's report."""

from collections.abc import Container, Sequence
from typing import Any

import rich.box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from models.reporting import figures
from models.runs.folder import RunFolder
from pipeline.common import paths

WIDTH = 160  # columns of a table in a file or a pipe


def wide_console() -> Console:
    """Standard output, as wide as the terminal or else WIDTH columns."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def console_of(dataset: str, console: Console | None = None) -> Console:
    """The console to print results of a data set on, or a wide one; that of a stand-in begins with the warning."""
    console = console or wide_console()
    warning = figures.stand_in_warning(dataset)
    if warning and console.is_terminal:
        console.print(Panel(Text(warning, style="bold red", justify="center"), border_style="bold red"))
    elif warning:
        console.print(Text(warning), soft_wrap=True)
    return console


def of_texts(
    texts: Sequence[Sequence[str]], title: str | None = None, words: Container[str] = (), folds_numbers: bool = True
) -> Table:
    """A table of headings and rows; the first column and those headed `words` are to the left, numbers to the right.

    Texts are shown as they are, markup included, and folded where they are too wide; numbers only if `folds_numbers`.
    """
    headings, *rows = texts
    table = Table(title=title and Text(title, style="table.title"), title_justify="left", box=rich.box.SIMPLE)
    for place, heading in enumerate(headings):
        is_number = bool(place) and heading not in words
        table.add_column(
            Text(heading),
            justify="right" if is_number else "left",
            no_wrap=is_number and not folds_numbers,
            overflow="fold" if folds_numbers or not is_number else "ellipsis",
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def show(run: RunFolder, console: Console | None = None, report: dict[str, Any] | None = None) -> None:
    """Print a finished run's report; None is standard output.

    `report` is its content where that is not `report.json`. Boxes and colors appear only on terminals.
    """
    report = report or run.report()
    console = console_of(report["dataset"], console)
    # Not the panel's title, which is cut where it is longer than the panel.
    console.print(Text(f"{figures.dataset_name(report['dataset'])}, preset {figures.recipe(report)}", style="bold"))
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(style="bold", overflow="fold")
    grid.add_column(style="dim", overflow="fold")
    for item in (*figures.results(report), *_calibration(report), *figures.costs(report)):
        grid.add_row(*map(Text, (item.name, f"{item.value} {item.unit}".rstrip(), item.note)))
    console.print(Panel.fit(grid, padding=(0, 2)) if console.is_terminal else grid)


def _calibration(report: dict[str, Any]) -> list[figures.ReportItem]:
    """The calibration error of the fine answer and of the model's own coarse one, where the split was evaluated."""
    calibrated = report.get("calibration", {}).get(report["split"], {})
    own = (figures.own_coarse_key(report) or "").removesuffix("_accuracy")
    items = []
    for answer in ("fine", own):
        if answer not in calibrated:
            continue
        values = calibrated[answer]
        before, after, temperature = values["before"], values["after"], values["temperature"]
        now = after or before
        note = f"NLL {now['nll']:.4f}, Brier score {now['brier']:.4f}; "
        if after:
            error, nll, brier = figures.percent(before["ece"]), f"{before['nll']:.4f}", f"{before['brier']:.4f}"
            note += f"before temperature {temperature:.3f}: {error} %, {nll}, {brier}"
        else:
            note += "no temperature: "
            note += "--split=validation fits it" if report["num_validation"] else "nothing was held out"
        title = f"Calibration error, {figures.ANSWERS[answer]}" if own else "Calibration error"
        items.append(figures.ReportItem(title, figures.percent(now["ece"]), "%", note))
    return items


def show_page(run: RunFolder, console: Console | None = None) -> None:
    """Print the path of a run's page, if it has one: on read-only media it may be missing."""
    if run.page.exists():
        # Not in the table: a path that is folded into a cell cannot be copied.
        (console or wide_console()).print(Text(f"Report: {paths.shown(run.page)}"), soft_wrap=True)
