"""How far a study is: a bar over the whole on a terminal, a line a cell everywhere, and an estimate of what is left."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from models.reporting import figures
from tuning.studies.design import METRICS, Cell
from tuning.studies.folder import FINISHED, StudyFolder
from tuning.studies.report import metric

ADVANCE_SECONDS = 1.0  # between two looks into the files of the cell under way


class StudyProgress:
    """A context around the running of a study's cells."""

    def __init__(
        self, folder: StudyFolder, cells: Sequence[Cell], num_workers: int = 1, console: Console | None = None
    ) -> None:
        self._folder, self._cells, self._num_workers = folder, cells, num_workers
        self._console = console or Console(highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("cells,"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        # What failed is run again, so it counts as nothing.
        self._results = {cell.name: folder.result(cell) if folder.is_finished(cell) else None for cell in cells}
        self._task = self._bar.add_task("", total=len(cells), completed=self._num_finished(), left="")
        self._under_way: list[Cell] = []
        # Of cells under way: when they began and with how many steps done, and when they had told of how many last.
        self._began: dict[str, tuple[float, int]] = {}
        self._told: dict[str, tuple[float, int]] = {}
        self._looked = time.perf_counter()

    def __enter__(self) -> "StudyProgress":
        self._bar.start()
        for cell in self._cells:
            if self._folder.is_damaged(cell):
                self._console.print(Text(f"{_title(cell)}: its file is damaged, it is trained again"), soft_wrap=True)
        if self._num_finished():
            told = f"{self._num_finished()} of {len(self._cells)} cells are finished already, and kept"
            self._console.print(Text(told), soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, cell: Cell) -> None:
        """Name the cells that are trained now, this one too."""
        self._looked = time.perf_counter()
        self._results[cell.name] = None
        self._under_way.append(cell)
        self._began[cell.name] = self._told[cell.name] = time.perf_counter(), self._folder.steps_done(cell)
        titles = " and ".join(map(_title, self._under_way))
        self._bar.update(self._task, description=titles, left=self._left_in_words())

    def advance(self) -> None:
        """Show how far the cells under way are, as their runs' files tell; may be called as often as one likes."""
        if not self._console.is_terminal or time.perf_counter() - self._looked < ADVANCE_SECONDS:
            return
        self._looked = time.perf_counter()
        done = sum(self._share_done(cell) for cell in self._under_way)
        self._bar.update(self._task, completed=self._num_finished() + done, left=self._left_in_words())

    def end(self, cell: Cell) -> None:
        """Say what came of a cell, in a line."""
        result = self._results[cell.name] = self._folder.result(cell)
        assert result is not None
        self._under_way.remove(cell)
        place = [other.name for other in self._cells].index(cell.name) + 1
        line = f"[{place}/{len(self._cells)}] {_title(cell)}: {_outcome(result)}"
        left = self._left_in_words()
        self._console.print(Text(f"{line}; {left}" if left else line), soft_wrap=True)
        self._bar.update(self._task, completed=self._num_finished(), left=left)

    def _num_finished(self) -> int:
        return sum(result is not None and result["status"] == FINISHED for result in self._results.values())

    def _left_in_words(self) -> str:
        pending = [
            (cell, 1.0 - self._share_done(cell) if cell in self._under_way else 1.0)
            for cell in self._cells
            if self._results[cell.name] is None
        ]
        found = [result for result in self._results.values() if result]
        found += [projected for cell in self._under_way if (projected := self._projected(cell))]
        return time_left(pending, found, self._cells, self._num_workers)

    def _share_done(self, cell: Cell) -> float:
        return min(1.0, self._folder.steps_done(cell) / cell.num_steps)

    def _projected(self, cell: Cell) -> dict[str, Any] | None:
        """A cell under way as if it went on like this to its end; None before its first epoch's."""
        (began, steps_before), steps_now = self._began[cell.name], self._folder.steps_done(cell)
        if steps_now != self._told[cell.name][1]:
            self._told[cell.name] = time.perf_counter(), steps_now
        told, steps = self._told[cell.name]
        if steps == steps_before:
            return None
        seconds = (told - began) * cell.num_steps / (steps - steps_before)
        return {"variant": cell.variant, "status": FINISHED, "wall_seconds": seconds}


def time_left(
    pending: Sequence[tuple[Cell, float]],
    results: Sequence[dict[str, Any]],
    cells: Sequence[Cell],
    num_workers: int = 1,
) -> str:
    """`about 12 min left`; empty where nothing is left or nothing is known.

    A cell takes as long as its variant's others did, and where there is none, by its steps as long as the rest.

    Args:
      pending: cells that have not ended, each with the share of it that is still to do.
      results: of cells, whether they ended or are projected to.
      cells: all of the study's.
      num_workers: how many are trained side by side.
    """
    steps = {cell.variant: cell.num_steps for cell in cells}
    finished = [result for result in results if result["status"] == FINISHED]
    done_steps = sum(steps[result["variant"]] for result in finished)
    if not pending or not done_steps:
        return ""
    seconds_a_step = sum(result["wall_seconds"] for result in finished) / done_steps
    seconds = 0.0
    for cell, share in pending:
        own = [result["wall_seconds"] for result in finished if result["variant"] == cell.variant]
        seconds += share * (sum(own) / len(own) if own else cell.num_steps * seconds_a_step)
    return f"about {in_words(seconds / min(num_workers, len(pending)))} left"


def in_words(seconds: float) -> str:
    """`40 s`, `12 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _title(cell: Cell) -> str:
    return f"{cell.variant}, seed {cell.train.seed}"


def _outcome(result: dict[str, Any]) -> str:
    if result["status"] != FINISHED:
        return f"failed: {result['reason']}"
    report = result["report"]
    known = {METRICS[name]: metric(report, name) for name in ("fine_accuracy", "own_coarse_accuracy")}
    told = ", ".join(f"{name} {figures.percent(value)} %" for name, value in known.items() if value is not None)
    return f"{told}, {report['train_seconds']:,.0f} s"
