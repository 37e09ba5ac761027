"""A run's report as a table on the terminal."""

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from models.reporting import figures
from models.runs.folder import RunFolder

WIDTH = 160  # columns of a table in a file or a pipe


def wide_console() -> Console:
    """Standard output, as wide as the terminal or else WIDTH columns."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def show(run: RunFolder, console: Console | None = None) -> None:
    """Print a finished run's report; the first and the last line warn where it is not of CIFAR-100.

    Args:
      run: the folder of a finished run.
      console: where to print; None is standard output. Boxes and colours appear only on terminals.
    """
    console = console or wide_console()
    report = run.report()
    warning = figures.stand_in_warning(report["dataset"])
    _print_warning(console, warning)
    # Not the panel's title, which is cut where it is longer than the panel.
    console.print(Text(f"{figures.dataset_name(report['dataset'])}, preset {figures.recipe(report)}", style="bold"))
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(style="bold", overflow="fold")
    grid.add_column(style="dim", overflow="fold")
    for item in figures.report_figures(report):
        grid.add_row(*(Text(cell) for cell in (item.name, item.with_unit, item.note)))
    console.print(Panel.fit(grid, padding=(0, 2)) if console.is_terminal else grid)
    # Outside the table: a path that is folded into a cell cannot be copied.
    console.print(Text(f"Run folder: {run.path}"), soft_wrap=True)
    _print_warning(console, warning)


def _print_warning(console: Console, warning: str | None) -> None:
    if warning and console.is_terminal:
        console.print(Panel(Text(warning, style="bold red", justify="center"), border_style="bold red"))
    elif warning:
        console.print(Text(warning), soft_wrap=True)
