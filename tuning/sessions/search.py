"""The search itself: proposals of an oracle, trained in workers' processes, their outcome kept before anything else.

    oracle ──trial──▶ Session.cell ──▶ cell_training in a worker ──▶ trials/ID.json ──▶ oracle, and its journal

A session that is cut off anywhere goes on with the next call: trials that have ended are not trained again, those under
way continue from their checkpoints, and what comes next is what would have come.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterator

from models.runs.folder import RunFolder
from models.training import signals
from pipeline.common import errors
from tuning.sessions import chief, oracles
from tuning.sessions.progress import SessionProgress
from tuning.sessions.session import Session
from tuning.sessions.time_budget import Budget
from tuning.sessions.trial_runner import POLL_SECONDS, Failures, Trials
from tuning.workers import train_job
from tuning.workers.train_job import Train
from tuning.workers.worker_process import INTERRUPTED, CallError, DiedError, RecycledWorker

FAREWELL_SECONDS = 20.0  # that a chief waits for its workers to hear that the search is over


def run(found: Session, train: Train = train_job.train, num_retrained: int = 0) -> None:
    """Search on this machine until the session's trials, minutes or proposals are used up.

    Args:
      found: a session; what it has done already is not done again.
      train: what trains a cell in a worker's process; importable by name.
      num_retrained: seeds that the best trial is to be trained with afterwards, within the session's minutes.

    Raises:
      errors.FailedError: trials fail one after the other, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; everything is kept.
    """
    with _watched(found, num_retrained) as (progress, requests, budget):
        oracle = _begun(found, budget, train, progress, requests)
        oracle.requeue()  # nobody else can be at them: the folder is locked
        Trials(found, oracle, train, progress, requests, "worker").run(budget.allows_another, budget.keep)


def serve(found: Session, address: str, train: Train = train_job.train, num_retrained: int = 0) -> None:
    """Be the chief of a search: propose trials to workers at `address` until all are ended; train the trunk alone.

    Args:
      found: a session whose folder the workers can write.
      address: HOST:PORT to listen at.
      train: what trains the trunk, if the session needs one and has none.
      num_retrained: as of `run`.

    Raises:
      errors.FailedError: as of `run`, or the address cannot be had.
      errors.InterruptedRunError: as of `run`.
    """
    with (
        _watched(found, num_retrained) as (progress, requests, budget),
        chief.serving(found, address, budget.allows_another) as servicer,
    ):
        progress.tell(f"listening for workers at {address}: the same command with --join={address} in place of --serve")
        oracle = _begun(found, budget, train, progress, requests)
        signs, failures = chief.LifeSigns(found), Failures()
        told = {record["id"] for record in found.records()}
        servicer.oracle = oracle
        while not _is_over(servicer, oracle, budget, signs):
            if requests.received:
                raise errors.InterruptedRunError(INTERRUPTED)
            for name in signs.give_up_silent(oracle):
                progress.tell(f"{name} shows no sign of life; its trial goes to the next that asks")
            for record in found.records():
                if record["id"] not in told:
                    told.add(record["id"])
                    progress.end(record)
                    failures.see(record)
            budget.keep()
            time.sleep(chief.POLL_SECONDS)
        farewell = time.perf_counter() + FAREWELL_SECONDS
        while (oracle.tuner_ids or servicer.waiting) and time.perf_counter() < farewell:
            time.sleep(POLL_SECONDS)


def _is_over(servicer: chief.Servicer, oracle: oracles.Oracle, budget: Budget, signs: chief.LifeSigns) -> bool:
    """Whether nobody works, and nobody will: of a chief whose last worker has died, too."""
    if servicer.error is not None:
        raise servicer.error
    if oracle.ongoing_trials:
        return False
    if servicer.stop_triggered or not budget.allows_another():
        return True
    return signs.is_long_idle() and not oracle.has_more()


def join(found: Session, address: str, train: Train = train_job.train) -> None:
    """Be a worker of the chief at `address`: train the trials that it proposes until there are none.

    Raises:
      errors.FailedError: the chief does not answer, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; another worker goes on with the trial.
    """
    with _watched(found) as (progress, requests, _), contextlib.closing(chief.RemoteOracle(address)) as oracle:
        name = f"{socket.gethostname()}-{os.getpid()}-"
        Trials(found, oracle, train, progress, requests, name, shows_life=True).run(lambda: True, lambda: None)


@contextlib.contextmanager
def _watched(found: Session, num_retrained: int = 0) -> Iterator[tuple[SessionProgress, signals.Requests, Budget]]:
    budget = Budget(found, num_retrained)
    try:
        with SessionProgress(found) as progress, signals.Requests(listen=True) as requests:
            yield progress, requests, budget
    except OSError as error:
        raise errors.FailedError(
            f"session_dir={found.path}: cannot be written ({error.strerror}); make room, then give the same command"
        ) from error


def _begun(
    found: Session, budget: Budget, train: Train, progress: SessionProgress, requests: signals.Requests
) -> oracles.Oracle:
    """The session's oracle, where the journal says it is; its trunk, if it needs one, is trained."""
    if found.space.has_frozen_trunk and not found.config.trunk_run_dir:
        _train_trunk(found, budget, train, progress, requests)
    config, space = found.config, found.declared()
    return oracles.build(
        config.tuner,
        space,
        found.journal,
        config.max_trials,
        config.max_epochs,
        config.seed,
        budget.spent,
        has_time_limit=config.max_minutes > 0.0,
    )


def _train_trunk(
    found: Session, budget: Budget, train: Train, progress: SessionProgress, requests: signals.Requests
) -> None:
    """Train the trunk whose heads are searched, unless an earlier call has."""
    folder = RunFolder(found.trunk_dir)
    if folder.is_finished:
        return
    progress.tell("training the trunk")
    worker = RecycledWorker()
    try:
        worker.call(train, found.trunk_cell(found.config.seed), folder.path)
        worker.answer_unless(requests, budget.keep)
    except (CallError, DiedError) as error:
        raise errors.FailedError(f"the trunk: {error}") from error
    finally:
        worker.interrupt()
        budget.keep(at_once=True)
