"""Where a benchmark's rows go: a table, JSON, and beside an earlier run's. The flags and the end of every benchmark.

output.define_flags()                 # when the binary is imported: --out, --compare, --tolerance
output.finish("augment", rows)        # at its end; exit code 1 where a row is worse than --tolerance allows
"""

import contextlib
import json
import pathlib
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import rich.box
import rich.table
from absl import flags

from benchmarks.harness import comparison, results
from benchmarks.harness.comparison import WORSE
from models.reporting.table import wide_console
from pipeline.common import errors


def define_flags() -> None:
    """Define --out, --compare and --tolerance. Called by binaries alone, when they are imported."""
    flags.disclaim_key_flags()
    flags.DEFINE_string("out", "", "JSON file to write")
    flags.DEFINE_string(
        "compare",
        "",
        "JSON of an earlier run: print how many times as good each row is now, and how much of that may be the machine "
        "(peers and ceilings, then and now)",
    )
    flags.DEFINE_float(
        "tolerance",
        0.1,
        "of --compare: a row of ours is WORSE, and the exit code 1, where it is worse by more than this part and the "
        "spreads of the two runs do not overlap",
        lower_bound=0.0,
    )


def check(benchmark: str, replaced_by_quick: Sequence[str] = ()) -> None:
    """See, before hours of measuring, that its end will not fail.

    Args:
      benchmark: its name.
      replaced_by_quick: flags that --quick has values of its own for.

    Raises:
      errors.BadArgumentError: what --compare names is no result of this benchmark, --out cannot be written, or a flag
        is given beside --quick that it would replace.
    """
    given = flags.FLAGS
    if given.compare:
        _earlier(pathlib.Path(given.compare), benchmark)
    if given.out:
        _refuse_unwritable(pathlib.Path(given.out))
    for name in replaced_by_quick:
        if given.quick and given[name].present:
            raise errors.BadArgumentError(f"{name} and quick: --quick has its own; give one of the two")


def _refuse_unwritable(path: pathlib.Path) -> None:
    reason = "it is a folder" if path.is_dir() else ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):  # the permissions alone do not tell
            pass
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise errors.BadArgumentError(f"out={path}: cannot be written ({reason}); expected a JSON file to write")


def finish(benchmark: str, rows: list[dict[str, Any]], **more: Any) -> None:
    """Print the rows, write them where --out says, and compare them where --compare says.

    Args:
      benchmark: its name.
      rows: what was measured.
      more: what stands in the JSON beside the rows.

    Raises:
      errors.FailedError: a row is worse than --tolerance allows.
    """
    results.publish(benchmark, rows, flags.FLAGS.out, **more)
    if not flags.FLAGS.compare:
        return
    from models.runtime import device

    old = _earlier(pathlib.Path(flags.FLAGS.compare), benchmark)
    changes = comparison.compare(old["rows"], rows, flags.FLAGS.tolerance)
    show(changes)
    if "dataset" in old and old["dataset"] != more.get("dataset"):
        print(f"the earlier run was on another data set: {old['dataset']}, not {more.get('dataset')}")
    spread = [change.agrees for change in changes if change.has_spread]
    print(f"the spreads of both runs overlap in {sum(spread)} of the {len(spread)} rows that both measured repeatedly")
    of_others = comparison.machine_ratio(changes)
    if of_others is not None:
        print(f"peers and ceilings, which are no doing of ours, ran {of_others:.2f} times as well as then (the median)")
    if len(changes) < len(rows):
        print(f"{len(rows) - len(changes)} rows stand in one run alone or are not above 0, and are not compared")
    if old["device"] != device.describe():
        print(f"the earlier run was on another machine: {old['device']}")
    worse = [change.name for change in changes if change.verdict == WORSE]
    if worse:
        raise errors.FailedError(
            f"{len(worse)} of {len(changes)} rows are worse than {flags.FLAGS.compare} by more than "
            f"{flags.FLAGS.tolerance:.0%}: {', '.join(worse)}"
        )


@contextlib.contextmanager
def keeping(benchmark: str, rows: Callable[[], list[dict[str, Any]]], **more: Any) -> Iterator[None]:
    """A context whose rows so far are shown, and written to OUT.interrupted, where a Ctrl-C or a failure ends it.

    Args:
      benchmark: its name.
      rows: those that there are so far.
      more: what stands in the JSON beside the rows.

    Raises:
      errors.InterruptedRunError: it was interrupted, and its rows are written.
      errors.FailedError: it failed; where its rows are written, the error says so.
    """
    try:
        yield
    except (KeyboardInterrupt, errors.FailedError) as error:
        found = rows()
        if not found:
            raise
        path = flags.FLAGS.out and f"{flags.FLAGS.out}.interrupted"  # no *.json, which would be taken for a result
        with _undisturbed():
            results.publish(benchmark, found, path, **more)
        if not path:
            raise
        if isinstance(error, errors.FailedError):
            raise errors.FailedError(f"{error}; what was measured before is in {path}") from error
        raise errors.InterruptedRunError(f"interrupted; what was measured before is in {path}") from error


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A context of some seconds that another Ctrl-C or SIGTERM does not cut off."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show(changes: list[comparison.Change]) -> None:
    """Print the changes as a table."""
    table = rich.table.Table(title="beside the earlier run", title_justify="left", box=rich.box.SIMPLE)
    table.add_column("row", overflow="fold")
    for heading in ("before", "now", "unit", "times as good", "spread", "verdict"):
        table.add_column(heading, justify="right", no_wrap=True)
    for change in changes:
        figures = [f"{value:,.4g}" for value in (change.old, change.new)]
        spread = f"{change.low:.2f} to {change.high:.2f}"
        table.add_row(change.name, *figures, change.unit, f"{change.ratio:.2f}", spread, change.verdict)
    wide_console().print(table)


def _earlier(path: pathlib.Path, benchmark: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.BadArgumentError(f"compare={path}: {error.strerror}") from error
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("benchmark") != benchmark:
        raise errors.BadArgumentError(f"compare={path}: expected what benchmarks.{benchmark} wrote with --out")
    return document
