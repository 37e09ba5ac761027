"""The search: an oracle proposes trials, worker processes train them, and each record is kept before anything else.

    oracle ──trial──▶ JobFactory ──job──▶ train_job in a worker ──▶ trials/ID.json ──▶ oracle, and its journal

The next call of a session that ended early does not train its ended trials again. Those under way continue from their
checkpoints, and the oracle proposes what it would have proposed.
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
from tuning.sessions.trial_runner import FailureCounter, Trials
from tuning.workers import train_job
from tuning.workers.pool import INTERRUPTED, POLL_SECONDS, WorkerPool
from tuning.workers.train_job import Train
from tuning.workers.worker_process import WorkerError

FAREWELL_SECONDS = 20.0  # the most that a chief waits for its workers to get the end of the search


def run(session: Session, train: Train = train_job.train, num_retrained: int = 0) -> None:
    """Search on this machine until the session's trials, minutes or proposals are used up.

    The minutes leave time to retrain the best trial with `num_retrained` seeds afterwards.

    Raises:
      errors.FailedError: trials fail one after the other, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; everything is kept.
    """
    with _open_search(session) as (progress, requests):
        budget = Budget(session, num_retrained)
        _train_trunk(session, budget, train, progress, requests)
        oracle = oracles.build(session.config, session.jobs.hyperparameters(), session.folder.journal, budget.spent)
        oracle.requeue()  # their workers are gone: the folder is locked
        trials = Trials(session, oracle, progress, "worker", budget.allows_another, budget.keep)
        with WorkerPool(requests, session.config.workers, notify=progress.print) as pool:
            pool.run(trials, train)


def serve(session: Session, address: str, train: Train = train_job.train, num_retrained: int = 0) -> None:
    """As `run`, as the chief: propose the trials to workers at `address` (HOST:PORT), and train only the trunk.

    Raises:
      errors.FailedError: the address cannot be bound; others as of `run`.
    """
    budget = Budget(session, num_retrained)
    with (
        _open_search(session) as (progress, requests),
        chief.serving(session, address, budget.allows_another) as servicer,
    ):
        progress.print(f"listening for workers at {address}: start them with --join={address} in place of --serve")
        _train_trunk(session, budget, train, progress, requests)
        oracle = oracles.build(session.config, session.jobs.hyperparameters(), session.folder.journal, budget.spent)
        heartbeats, failures = chief.Heartbeats(session), FailureCounter()
        reported = {record["id"] for record in session.folder.records()}
        servicer.oracle = oracle
        while not _is_over(servicer, oracle, budget, heartbeats):
            if requests.received:
                raise errors.InterruptedRunError(INTERRUPTED)
            for name in heartbeats.requeue_timed_out(oracle):
                progress.print(f"no heartbeat from {name}; its trial goes to the next worker that asks")
            for record in session.folder.records():
                if record["id"] not in reported:
                    reported.add(record["id"])
                    progress.end(record)
                    failures.count(record)
            budget.keep()
            time.sleep(chief.POLL_SECONDS)
        farewell = time.perf_counter() + FAREWELL_SECONDS
        while (oracle.tuner_ids or servicer.waiting) and time.perf_counter() < farewell:
            time.sleep(POLL_SECONDS)


def join(session: Session, address: str, train: Train = train_job.train) -> None:
    """Train the trials that the chief at `address` (HOST:PORT) proposes, until there are none.

    Raises:
      errors.FailedError: the chief does not answer, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; another worker goes on with the trial.
    """
    num_workers, name = session.config.workers, f"{socket.gethostname()}-{os.getpid()}-"
    heartbeats = chief.HeartbeatSender(session, [f"{name}{number}" for number in range(num_workers)])
    with _open_search(session) as (progress, requests), contextlib.closing(chief.RemoteOracle(address)) as oracle:
        trials = Trials(session, oracle, progress, name, on_poll=heartbeats.send)
        with WorkerPool(requests, num_workers, notify=progress.print) as pool:
            pool.run(trials, train)


def _is_over(servicer: chief.Servicer, oracle: oracles.Oracle, budget: Budget, heartbeats: chief.Heartbeats) -> bool:
    """Whether no worker has a trial and none will; also where the last worker has died."""
    if servicer.error is not None:
        raise servicer.error
    if oracle.ongoing_trials:
        return False
    if servicer.stop_triggered or not budget.allows_another():
        return True
    return heartbeats.is_long_idle() and not oracle.has_more()


@contextlib.contextmanager
def _open_search(session: Session) -> Iterator[tuple[SessionProgress, signals.Requests]]:
    try:
        with SessionProgress(session) as progress, signals.Requests(listen=True) as requests:
            yield progress, requests
    except OSError as error:
        raise errors.FailedError(
            f"session_dir={session.folder.path}: cannot be written ({error.strerror}); make room, then give the same "
            "command"
        ) from error


def _train_trunk(
    session: Session, budget: Budget, train: Train, progress: SessionProgress, requests: signals.Requests
) -> None:
    """Train the trunk whose heads are searched, unless the session has it or needs none."""
    run_folder = RunFolder(session.folder.trunk_dir)
    if run_folder.is_finished or not session.jobs.needs_trunk:
        return
    progress.print("training the trunk")
    try:
        with WorkerPool(requests, notify=progress.print) as pool:
            pool.call(train, session.jobs.trunk(session.config.seed), run_folder.path, on_poll=budget.keep)
    except WorkerError as error:
        raise errors.FailedError(f"the trunk: {error}") from error
    finally:
        budget.keep(at_once=True)
