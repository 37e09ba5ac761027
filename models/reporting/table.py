"""What a run scored and cost, as a small table on the terminal."""

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from models.reporting import figures
from models.runs.folder import RunFolder

WIDTH = 160  # columns of a table that goes into a file or a pipe; a terminal has its own


def wide_console() -> Console:
    """Standard output, wide enough for a table where it is no terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)


def show(run: RunFolder, console: Console | None = None) -> None:
    """Print a finished run's report; what is not CIFAR-100 says so on the first and on the last line.

    Args:
      run: the folder of a finished run.
      console: where to print; standard output where None. Boxes and colours appear on terminals alone.
    """
    console = console or wide_console()
    report = run.report()
    warning = figures.stand_in_warning(report["dataset"])
    _shout(console, warning)
    title = Text(f"{figures.dataset_name(report['dataset'])}, preset {figures.recipe(report)}", style="bold")
    _show_figures(console, title, _grid(figures.report_figures(report)))
    # Outside the table: a path that is folded into a cell cannot be copied.
    console.print(Text(f"Run folder: {run.path}"), soft_wrap=True)
    _shout(console, warning)


def _grid(rows: list[figures.ReportItem]) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(style="bold", overflow="fold")
    grid.add_column(style="dim", overflow="fold")
    for figure in rows:
        grid.add_row(*(Text(cell) for cell in (figure.name, figure.with_unit, figure.note)))
    return grid


def _show_figures(console: Console, title: Text, grid: Table) -> None:
    if console.is_terminal:
        console.print(title)  # not as the panel's title, which is cut where it is longer than the panel
        console.print(Panel.fit(grid, padding=(0, 2)))
    else:
        console.print(title, grid, sep="\n")


def _shout(console: Console, warning: str | None) -> None:
    if not warning:
        return
    if console.is_terminal:
        console.print(Panel(Text(warning, style="bold red", justify="center"), border_style="bold red"))
    else:
        console.print(Text(warning), soft_wrap=True)
