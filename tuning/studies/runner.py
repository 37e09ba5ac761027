"""The cells of a study, each trained in a worker's process, several side by side; what fails is noted and passed by."""

import time
from collections.abc import Callable, Iterator, Sequence

from models.training import signals
from pipeline.common import cpu, errors
from pipeline.data_config import AUTO
from tuning.studies.design import Cell
from tuning.studies.folder import StudyFolder
from tuning.studies.progress import StudyProgress
from tuning.workers import train_job
from tuning.workers.train_job import Train
from tuning.workers.worker_process import INTERRUPTED, POLL_SECONDS, CallError, DiedError, RecycledWorker

Resolve = Callable[[str], str]


def run(
    folder: StudyFolder,
    cells: Sequence[Cell],
    train: Train = train_job.train,
    resolve: Resolve = train_job.resolve,
    num_workers: int = 1,
) -> None:
    """Train every cell that is not finished in the folder, and keep what came of it there.

    Args:
      folder: of the study.
      cells: in the order that they are begun.
      train: what trains one in a worker's process; importable by name.
      resolve: what turns the precision `auto` into this machine's, there too.
      num_workers: cells that are trained side by side, each in a process of its own on its share of the processors.

    Raises:
      errors.BadArgumentError: the study's finished part was computed in another precision than this machine's.
      errors.FailedError: the precision of this machine cannot be found out.
      errors.InterruptedRunError: SIGINT or SIGTERM came; what is finished is kept, what was under way goes on later.
    """
    with StudyProgress(folder, cells, num_workers) as progress, signals.Requests(listen=True) as requests:
        runner = _Runner(folder, train, resolve, progress, requests, num_workers)
        runner.run([cell for cell in cells if not folder.is_finished(cell)])


class _Slot:
    """One place where a cell can be trained."""

    def __init__(self, threads: int) -> None:
        self.worker = RecycledWorker(threads)
        self.cell: Cell | None = None
        self.began = 0.0


class _Runner:
    def __init__(
        self,
        folder: StudyFolder,
        train: Train,
        resolve: Resolve,
        progress: StudyProgress,
        requests: signals.Requests,
        num_workers: int,
    ) -> None:
        self._folder, self._train, self._resolve = folder, train, resolve
        self._progress, self._requests = progress, requests
        threads = max(1, cpu.count() // num_workers) if num_workers > 1 else 0
        self._slots = [_Slot(threads) for _ in range(num_workers)]

    def run(self, cells: Sequence[Cell]) -> None:
        try:
            if any(cell.train.precision == AUTO for cell in cells):
                self._settle_precision()
            coming = iter(cells)
            is_working = True
            while is_working:
                is_working = False
                for slot in self._slots:
                    is_working |= self._advance(slot, coming)
                if self._requests.received:
                    # A second signal from now on ends this process, and with it the workers. What a cell may have just
                    # ended lies in its run folder, and is taken from there next time.
                    raise errors.InterruptedRunError(INTERRUPTED)
        finally:
            for slot in self._slots:
                slot.worker.interrupt() if slot.cell else slot.worker.stop()

    def _settle_precision(self) -> None:
        worker = self._slots[0].worker
        try:
            worker.call(self._resolve, AUTO)
            self._folder.settle_precision(worker.answer_unless(self._requests))
        except (CallError, DiedError) as error:
            raise errors.FailedError(f"precision={AUTO}: {error}") from error

    def _advance(self, slot: _Slot, coming: Iterator[Cell]) -> bool:
        """Give a slot the next cell if it has none, or take what it has finished; False if there is nothing to do."""
        if slot.cell is None:
            slot.cell = next(coming, None)
            if slot.cell is None:
                return False
            self._begin(slot, slot.cell)
        elif slot.worker.answers_within(POLL_SECONDS / len(self._slots)):
            self._end(slot, slot.cell)
        else:
            self._progress.advance()
        return True

    def _begin(self, slot: _Slot, cell: Cell) -> None:
        self._progress.begin(cell)
        slot.began = time.perf_counter()
        try:
            slot.worker.call(self._train, cell, self._folder.run_dir(cell))
        except DiedError as error:
            self._fail(slot, cell, str(error), "")

    def _end(self, slot: _Slot, cell: Cell) -> None:
        try:
            outcome = slot.worker.answer()
        except CallError as error:
            self._fail(slot, cell, str(error), error.trace)
            if error.kind == errors.DivergedError.__name__:
                self._folder.remove_run(cell)
        except DiedError as error:
            self._fail(slot, cell, str(error), "")
        else:
            self._folder.write_finished(cell, outcome, time.perf_counter() - slot.began)
            self._free(slot, cell)

    def _fail(self, slot: _Slot, cell: Cell, reason: str, trace: str) -> None:
        self._folder.write_failed(cell, reason, trace, time.perf_counter() - slot.began)
        self._free(slot, cell)

    def _free(self, slot: _Slot, cell: Cell) -> None:
        slot.cell = None
        self._progress.end(cell)
