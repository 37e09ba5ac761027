"""The cells of a study, one after the other, each trained in a worker's process; what fails is noted and passed by."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from models import stopping
from pipeline import errors
from pipeline.data_config import AUTO
from tuning import cell_training
from tuning.cell_training import Train
from tuning.study_design import Cell
from tuning.study_folder import StudyFolder
from tuning.study_progress import StudyProgress
from tuning.worker import CallError, DiedError, RecycledWorker

Resolve = Callable[[str], str]


def run(
    folder: StudyFolder,
    cells: Sequence[Cell],
    train: Train = cell_training.train,
    resolve: Resolve = cell_training.resolve,
) -> None:
    """Train every cell that is not finished in the folder, and keep what came of it there.

    Args:
      folder: of the study.
      cells: in the order that they are trained.
      train: what trains one in a worker's process; importable by name.
      resolve: what turns the precision `auto` into this machine's, there too.

    Raises:
      errors.BadArgumentError: the study's finished part was computed in another precision than this machine's.
      errors.FailedError: the precision of this machine cannot be found out.
      errors.InterruptedRunError: SIGINT or SIGTERM came; what is finished is kept, what was under way goes on later.
    """
    with StudyProgress(folder, cells) as progress, stopping.Requests(listen=True) as requests:
        runner = _Runner(folder, train, resolve, progress, requests)
        runner.run([cell for cell in cells if not folder.is_finished(cell)])


class _Runner:
    def __init__(
        self,
        folder: StudyFolder,
        train: Train,
        resolve: Resolve,
        progress: StudyProgress,
        requests: stopping.Requests,
    ) -> None:
        self._folder, self._train, self._resolve = folder, train, resolve
        self._progress, self._requests = progress, requests
        self._worker = RecycledWorker()

    def run(self, cells: Sequence[Cell]) -> None:
        try:
            if any(cell.train.precision == AUTO for cell in cells):
                self._settle_precision()
            for cell in cells:
                if self._requests.received:
                    raise errors.InterruptedRunError("interrupted")
                self._run_cell(cell)
        finally:
            self._worker.stop()

    def _settle_precision(self) -> None:
        try:
            self._worker.call(self._resolve, AUTO)
            self._folder.settle_precision(self._worker.answer_unless(self._requests))
        except (CallError, DiedError) as error:
            raise errors.FailedError(f"precision={AUTO}: {error}") from error

    def _run_cell(self, cell: Cell) -> None:
        self._progress.begin(cell)
        began = time.perf_counter()
        try:
            outcome = self._outcome(cell)
        except CallError as error:
            self._folder.write_failed(cell, str(error), error.trace, time.perf_counter() - began)
            if error.kind == errors.FailedError.__name__:
                self._folder.remove_run(cell)  # weights that are not numbers must not be gone on with
        except DiedError as error:
            self._folder.write_failed(cell, str(error), "", time.perf_counter() - began)
        else:
            self._folder.write_finished(cell, outcome, time.perf_counter() - began)
        self._progress.end(cell)

    def _outcome(self, cell: Cell) -> dict[str, Any]:
        self._worker.call(self._train, cell, self._folder.run_dir(cell))
        return self._worker.answer_unless(self._requests, lambda: self._progress.advance(cell))
