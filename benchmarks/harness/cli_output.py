"""The flags of every benchmark, and where its rows go: a table, JSON, and a comparison with an earlier run.

cli_output.define_flags(flags)                           # when the binary is imported: --out, --compare, --tolerance
with cli_output.publishing("augment", lambda: rows):     # exit code 1 where a row is worse than --tolerance allows
    rows += ...
"""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import flags

from benchmarks.harness import comparison, results
from benchmarks.harness.comparison import WORSE
from benchmarks.harness.results import Row
from models.reporting import table
from models.runs import output_file
from pipeline.common import app, config, errors, markdown_table
from pipeline.common.markdown_table import Column, field
from pipeline.common.process import signals
from pipeline.data_config import SourceConfig


def define_flags(own: app.Flags) -> None:
    """Define --out, --compare and --tolerance among the flags of a binary."""
    flags.disclaim_key_flags()
    own.DEFINE_path("out", "", "JSON file to write")
    own.DEFINE_path(
        "compare",
        "",
        "JSON file of an earlier run: print how many times as good each row is now, and how much of the difference may "
        "be due to the machine, judged by the peers (other libraries) and ceilings of both runs",
    )
    own.DEFINE_float(
        "tolerance",
        0.1,
        "with --compare, the fraction by which a row of ours may be worse. If it is worse by more, and the spreads of "
        "the two runs do not overlap, it is marked WORSE, and the exit code is 1",
        lower_bound=0.0,
    )


def check(benchmark: str, replaced_by_quick: Sequence[str] = ()) -> None:
    """Check the flags, before hours of measuring; `replaced_by_quick` are those that --quick has own values for.

    Raises:
      errors.BadArgumentError: --compare names no result of this benchmark, --out cannot be written, or a flag is set
        that --quick would replace.
    """
    values = flags.FLAGS
    if "dataset" in values:
        config.build(SourceConfig, config.given_flags())
    if values.compare:
        _earlier(benchmark)
    if values.out:
        output_file.check(values.out)
    for name in replaced_by_quick:
        if values.quick and values[name].present:
            raise errors.BadArgumentError(f"{name} and quick: --quick has its own value; set one of the two")


@contextlib.contextmanager
def publishing(
    benchmark: str,
    rows: Callable[[], list[Row]],
    show_rows: Callable[[Sequence[Row]], None] | None = None,
    **more: Any,
) -> Iterator[None]:
    """A context that publishes its rows at its end; see `finish`.

    Where a Ctrl-C or a failure ends it, the rows so far are shown, and written to OUT.interrupted.

    Raises:
      errors.InterruptedRunError: it was interrupted, and its rows are written.
      errors.FailedError: it failed; where its rows are written, the error says so. Or as of `finish`.
    """
    try:
        yield
    except (KeyboardInterrupt, errors.FailedError) as error:
        measured = rows()
        if not measured:
            raise
        path = flags.FLAGS.out and f"{flags.FLAGS.out}.interrupted"  # no *.json, which would be taken for a result
        with signals.Requests(listen=True):  # it ends in any case
            results.publish(benchmark, measured, path, show_rows, **more)
        if not path:
            raise
        if isinstance(error, errors.FailedError):
            raise errors.FailedError(f"{error}; the rows measured before are in {path}") from error
        raise errors.InterruptedRunError(f"interrupted; the rows measured before are in {path}") from error
    finish(benchmark, rows(), show_rows, **more)


def finish(
    benchmark: str, rows: list[Row], show_rows: Callable[[Sequence[Row]], None] | None = None, **more: Any
) -> None:
    """Print the rows, write them to --out with the fields `more`, and compare them with --compare.

    `show_rows` prints them, by default as `results.show`.

    Raises:
      errors.FailedError: a row is worse than --tolerance allows.
    """
    results.publish(benchmark, rows, flags.FLAGS.out, show_rows, **more)
    if not flags.FLAGS.compare:
        return
    old = _earlier(benchmark)
    earlier = [Row.from_json(fields) for fields in old["rows"]]
    changes = comparison.compare(earlier, rows, flags.FLAGS.tolerance)
    show(changes)
    print(*_conditions(old, changes, len(rows), more.get("dataset")), sep="\n")
    worse = [change.name for change in changes if change.verdict == WORSE]
    if worse:
        raise errors.FailedError(
            f"{len(worse)} of {len(changes)} rows are worse than {flags.FLAGS.compare} by more than "
            f"{flags.FLAGS.tolerance:.0%}: {', '.join(worse)}"
        )


def _conditions(old: dict[str, Any], changes: list[comparison.Change], num_rows: int, dataset: Any) -> Iterator[str]:
    """Lines on how far the two runs can be compared."""
    from models.runtime import device

    if "dataset" in old and old["dataset"] != dataset:
        yield f"the earlier run was on another data set: {old['dataset']}, not {dataset}"
    spread = [change.agrees for change in changes if change.has_spread]
    yield f"the spreads of both runs overlap in {sum(spread)} of the {len(spread)} rows that both measured repeatedly"
    machine = comparison.machine_ratio(changes)
    if machine is not None:
        yield f"peers and ceilings, which do not depend on our code, ran {machine:.2f} times as fast as then (median)"
    if len(changes) < num_rows:
        yield f"{num_rows - len(changes)} rows are in one run only or not above 0, and are not compared"
    if old["device"] != device.describe():
        yield f"the earlier run was on another machine: {old['device']}"


def show(changes: list[comparison.Change]) -> None:
    """Print the changes as a table."""
    columns: list[Column[comparison.Change]] = [
        field("name", heading="row"),
        field("old", "{:,.4g}".format, "before"),
        field("new", "{:,.4g}".format, "now"),
        field("unit"),
        field("ratio", "{:.2f}".format, "times as good"),
        Column("spread", lambda change: f"{change.low:.2f} to {change.high:.2f}"),
        field("verdict"),
    ]
    texts = markdown_table.cells(columns, changes)
    table.wide_console().print(table.of_texts(texts, "compared with the earlier run", folds_numbers=False))


def _earlier(benchmark: str) -> dict[str, Any]:
    path = pathlib.Path(flags.FLAGS.compare)
    document = results.read(path, f"compare={path}:")
    if document["benchmark"] != benchmark:
        raise errors.BadArgumentError(f"compare={path}: expected a file that benchmarks.{benchmark} wrote with --out")
    return document
