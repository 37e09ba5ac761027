"""A benchmark's result as people and scripts read it: a table on the terminal, and JSON of one form."""

import pathlib
import shlex
import statistics
import sys
from collections.abc import Sequence
from typing import Any

import rich.box
import rich.table

from benchmarks.harness.timing import Timing, ratio
from models.reporting.table import wide_console
from pipeline.common import app, files

# What a table shows beside the medians, where rows have it: its heading and its form.
MORE = {
    "ceiling_share": ("of the\nceiling", "{:.1%}"),
    "cpu_s_per_million": ("CPU s a\nmillion", "{:,.2f}"),
    "peak_mib": ("peak\nMiB", "{:,.0f}"),
    "first_call_s": ("first\ncall s", "{:,.2f}"),
}


def row(timing: Timing, unit: str, compared: tuple[Timing, Timing] | None = None, **more: Any) -> dict[str, Any]:
    """One row of the JSON; with two timings `compared` it carries how many times the second the first one is."""
    ratios = {}
    if compared:
        ratios = {"ratio": round(ratio(*compared), 3), "ratio_of": [timed.name for timed in compared]}
    return {
        "name": timing.name,
        "unit": unit,
        "median": round(timing.median, 1),
        "min": round(min(timing.rates), 1),
        "max": round(max(timing.rates), 1),
        "repeats": len(timing.rates),
        "first_call_s": round(timing.first_s, 3),
        **ratios,
        **more,
    }


def single(name: str, unit: str, value: float, **more: Any) -> dict[str, Any]:
    """A row of one measured value, such as an accuracy or the time of a long job."""
    return {"name": name, "unit": unit, "median": value, "min": value, "max": value, "repeats": 1, **more}


def several(name: str, unit: str, values: Sequence[float], **more: Any) -> dict[str, Any]:
    """A row of a value that was measured again and again, such as memory: its median, least and most."""
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    rounded = {key: round(value, 3) for key, value in figures.items()}
    return {"name": name, "unit": unit, **rounded, "repeats": len(values), **more}


def publish(benchmark: str, rows: list[dict[str, Any]], out: str, **more: Any) -> None:
    """Print the rows, and write them to `out` where it is given, with `more` beside them."""
    show(benchmark, rows)
    if not out:
        return
    app.load_tensorflow()  # the device is asked for, where measuring was other processes' work
    from models.reporting import report
    from models.runtime import device

    document = {
        "benchmark": benchmark,
        "command": command(benchmark, sys.argv[1:]),
        "device": device.describe(),
        "versions": report.versions(),
        "git_commit": report.git_commit(),
        "rows": rows,
        **more,
    }
    path = pathlib.Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, document, indent=2)
    print(f"written: {path}")


def command(benchmark: str, arguments: Sequence[str]) -> str:
    """What measures the same again: how it was compared, and with a file where, does not belong to that.

    Args:
      benchmark: its name.
      arguments: as it was given them, each flag in one piece (--flag=value) or in two.
    """
    kept, left = [], iter(arguments)
    for argument in left:
        name, equals, _ = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in ("compare", "tolerance"):
            if not equals:
                next(left, None)
        else:
            kept.append(argument)
    return shlex.join(["python", "-m", f"benchmarks.{benchmark}", *kept])


def show(benchmark: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table, below it each mean with its deviation and each ratio."""
    table = rich.table.Table(
        rich.table.Column("row", overflow="fold"), title=benchmark, title_justify="left", box=rich.box.SIMPLE
    )
    more = [key for key in MORE if any(key in line for line in rows)]
    for heading in ("median", "min", "max", "unit", *(MORE[key][0] for key in more)):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in rows:
        figures = [f"{line[key]:,.4g}" if line[key] < 100 else f"{line[key]:,.0f}" for key in ("median", "min", "max")]
        others = [MORE[key][1].format(line[key]) if key in line else "" for key in more]
        table.add_row(line["name"], *figures, line["unit"], *others)
    console = wide_console()
    console.print(table)
    for line in rows:
        if line.get("standard_deviation") is not None:
            name, unit = line["name"], line["unit"]
            console.print(f"{name}: {line['mean']:.2f} ± {line['standard_deviation']:.2f} {unit}", soft_wrap=True)
        if "ratio" in line:  # below the table, on lines that are never folded, since names are long
            console.print(f"{line['ratio']:.2f}x = {' beside '.join(line['ratio_of'])}", soft_wrap=True)
    if any("ratio" in line for line in rows):
        console.print("x: the median of the rounds' ratios, which need not be the ratio of the medians", soft_wrap=True)
