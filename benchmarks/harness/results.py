"""The rows of a benchmark, as people and scripts read them: a table on the terminal, and JSON of one form."""

import dataclasses
import functools
import pathlib
import shlex
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Timing, ratio
from models.reporting import table
from pipeline.common import app, errors, files, markdown_table, paths
from pipeline.common.json_values import INTEGER, NUMBER, OBJECT, TEXT, array, required
from pipeline.common.markdown_table import field

COLUMNS = (
    field("name", heading="row"),
    *(field(name, lambda value: format(value, ",.4g" if value < 100 else ",.0f")) for name in ("median", "min", "max")),
    field("unit"),
    field("ceiling_share", "{:.1%}".format, "of the\nceiling", is_optional=True),
    field("gib", "{:.3g}".format, "GiB\na step", is_optional=True),
    field("intensity", "{:.3g}".format, "FLOP\na byte", is_optional=True),
    field("cpu_s_per_million", "{:,.2f}".format, "CPU s a\nmillion", is_optional=True),
    field("peak_mib", "{:,.0f}".format, "peak\nMiB", is_optional=True),
    field("efficiency", "{:.0%}".format, "effi-\nciency", is_optional=True),
    field("first_call_s", "{:,.2f}".format, "first\ncall s", is_optional=True),
)
_ROW = required(
    {"name": TEXT, "unit": TEXT, "repeats": INTEGER} | dict.fromkeys(("median", "min", "max"), NUMBER),
    **dict.fromkeys(("first_call_s", "ratio", "ceiling_share", "cpu_s_per_million", "peak_mib"), NUMBER),
)
DOCUMENT = required(
    dict.fromkeys(("benchmark", "command", "device", "git_commit"), TEXT) | {"versions": OBJECT, "rows": array(_ROW)}
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row(Labels):
    """What was measured and its figures; a figure that a row does not have is None."""

    unit: str
    median: float
    min: float
    max: float
    repeats: int  # measurements that `median`, `min` and `max` are over
    first_call_s: float | None = None  # seconds of the first call, tracing included
    ratio: float | None = None  # of the first row of `ratio_of` to the second one: the median of the rounds' ratios
    ratio_of: Sequence[str] | None = None
    mean: float | None = None  # over the seeds of a recipe
    standard_deviation: float | None = None
    limit: float | None = None  # that the median may not cross
    steps_per_s: float | None = None
    tflops: float | None = None
    ceiling_share: float | None = None  # of the machine's ceiling, 0 to 1
    gib: float | None = None  # read and written in a step
    intensity: float | None = None  # arithmetic: FLOP for each byte read or written
    cpu_s_per_million: float | None = None  # CPU seconds for a million images
    peak_mib: float | None = None  # resident memory
    median_mib: float | None = None
    processes: int | None = None
    trials: int | None = None
    epochs: int | None = None
    work: str | None = None  # "equal" or "nearest": how a peer's work compares with ours
    xla: bool | None = None  # whether XLA compiles all of a peer
    version: str | None = None  # of the peer's library
    shape: str | None = None  # of the ceiling's best convolution
    predicted: bool | None = None  # computed, since it does not fit into the machine
    efficiency: float | None = None  # rate of a replica, as a share of that of one which makes the whole batch alone

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Row":
        """The row of a JSON object; results of earlier releases have no `kind`, and other fields are ignored."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{"kind": ""} | {name: value for name, value in fields.items() if name in names})

    def as_json(self) -> dict[str, Any]:
        """Its fields, without those that are None."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if value is not None}

    def compared_with(self, base: "Row", times: float) -> "Row":
        """The same row with its ratio to another one."""
        return dataclasses.replace(self, ratio=round(times, 3), ratio_of=[self.name, base.name])


def row(labels: Labels, unit: str, values: Sequence[float], digits: int | None = 3, **more: Any) -> Row:
    """The row of a value that was measured once or repeatedly, with the fields `more`.

    Its median, minimum and maximum are rounded to `digits` after the decimal point; None rounds nothing.
    """
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    if digits is not None:
        figures = {key: round(value, digits) for key, value in figures.items()}
    return Row(**vars(labels) | figures | {"repeats": len(values)} | more, unit=unit)


def timed(timing: Timing, unit: str = "images/s", compared: tuple[Timing, Timing] | None = None, **more: Any) -> Row:
    """A row of a timing; with two timings `compared` it has how many times the second the first one is."""
    if compared:
        more |= {"ratio": round(ratio(*compared), 3), "ratio_of": [one.name for one in compared]}
    return row(timing.labels, unit, timing.rates, 1, first_call_s=round(timing.first_s, 3), **more)


def read(path: pathlib.Path, where: str) -> dict[str, Any]:
    """The content of a file that a benchmark wrote with --out.

    Raises:
      errors.BadArgumentError: with the prefix `where`: it is missing, cannot be read, or holds something else.
    """
    return _read(path, where, DOCUMENT)


def read_folder(folder: pathlib.Path) -> dict[pathlib.Path, dict[str, Any]]:
    """What benchmarks wrote to a folder, which may have runs' reports beside; errors as `read`."""
    documents = {path: _read(path, f"{path}:", OBJECT) for path in sorted(folder.glob("*.json"))}
    return {path: read(path, f"{path}:") for path, document in documents.items() if "benchmark" in document}


def _read(path: pathlib.Path, where: str, schema: dict[str, Any]) -> dict[str, Any]:
    remedy = "expected JSON that a benchmark wrote with --out"
    try:
        document = files.read_json(path, where, remedy, schema=schema)
    except errors.FailedError as error:
        raise errors.BadArgumentError(str(error)) from error
    if document is None:
        raise errors.BadArgumentError(f"{where} is missing; {remedy}")
    return document


def publish(
    benchmark: str, rows: Sequence[Row], out: str, show_rows: Callable[[Sequence[Row]], None] | None = None, **more: Any
) -> None:
    """Print the rows; with a path `out` also write them as JSON, with the fields `more` of the whole result.

    `show_rows` prints them, by default as `show`.
    """
    (show_rows or functools.partial(show, benchmark))(rows)
    if not out:
        return
    app.load_tensorflow()  # to describe the device, where other processes did the measuring
    from models.reporting import report
    from models.runtime import device
    from models.runtime.git_commit import git_commit

    document = {
        "benchmark": benchmark,
        "command": command(benchmark, sys.argv[1:]),
        "device": device.describe(),
        "versions": report.versions(),
        "git_commit": git_commit(),
        "rows": [line.as_json() for line in rows],
        **more,
    }
    path = paths.local(out, "out")
    with files.writing("out", path):
        files.make_folder(path.parent)
        files.write_json(path, document)
    print(f"written: {path}")


def command(benchmark: str, arguments: Sequence[str]) -> str:
    """The command that measures the same again, without the flags of comparing, be they in one piece or in two."""
    kept, remaining = [], iter(arguments)
    for argument in remaining:
        name, equals, _ = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in ("compare", "tolerance"):
            if not equals:
                next(remaining, None)
        else:
            kept.append(argument)
    return shlex.join(["python", "-m", f"benchmarks.{benchmark}", *kept])


def show(benchmark: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table, below it each mean with its deviation and each ratio."""
    console = table.wide_console()
    console.print(table.of_texts(markdown_table.cells(COLUMNS, rows), benchmark, folds_numbers=False))
    for line in rows:
        if line.standard_deviation is not None:
            console.print(f"{line.name}: {line.mean:.2f} ± {line.standard_deviation:.2f} {line.unit}", soft_wrap=True)
        if line.ratio_of:  # below the table, on lines that are never folded, since names are long
            console.print(f"{line.ratio:.2f}x = {' relative to '.join(line.ratio_of)}", soft_wrap=True)
    if any(line.ratio_of for line in rows):
        console.print("x: the median of the rounds' ratios, which need not be the ratio of the medians", soft_wrap=True)
