"""The search: an oracle proposes trials, worker processes train them, and each record is kept before anything else.

    oracle ──trial──▶ Session.job ──▶ train_job in a worker ──▶ trials/ID.json ──▶ oracle, and its journal

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

FAREWELL_SECONDS = 20.0  # that a chief waits for its workers to hear that the search is over


def run(session: Session, train: Train = train_job.train, num_retrained: int = 0) -> None:
    """Search on this machine until the session's trials, minutes or proposals are used up.

    Args:
      session: a session; what it has done already is not done again.
      train: what trains a job in a worker's process; importable by name.
      num_retrained: seeds that the best trial is to be trained with afterwards, within the session's minutes.

    Raises:
      errors.FailedError: trials fail one after the other, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; everything is kept.
    """
    with _watched(session, num_retrained) as (progress, requests, budget):
        oracle = _begun(session, budget, train, progress, requests)
        oracle.requeue()  # nobody else can be at them: the folder is locked
        trials = Trials(session, oracle, progress, "worker", budget.allows_another, budget.keep)
        with WorkerPool(requests, session.config.workers) as pool:
            pool.run(trials, train)


def serve(session: Session, address: str, train: Train = train_job.train, num_retrained: int = 0) -> None:
    """Be the chief of a search: propose trials to workers at `address` until all are ended; train the trunk alone.

    Args:
      session: a session whose folder the workers can write.
      address: HOST:PORT to listen at.
      train: what trains the trunk, if the session needs one and has none.
      num_retrained: as of `run`.

    Raises:
      errors.FailedError: as of `run`, or the address cannot be had.
      errors.InterruptedRunError: as of `run`.
    """
    with (
        _watched(session, num_retrained) as (progress, requests, budget),
        chief.serving(session, address, budget.allows_another) as servicer,
    ):
        progress.tell(f"listening for workers at {address}: the same command with --join={address} in place of --serve")
        oracle = _begun(session, budget, train, progress, requests)
        heartbeats, failures = chief.Heartbeats(session), FailureCounter()
        told = {record["id"] for record in session.records()}
        servicer.oracle = oracle
        while not _is_over(servicer, oracle, budget, heartbeats):
            if requests.received:
                raise errors.InterruptedRunError(INTERRUPTED)
            for name in heartbeats.requeue_timed_out(oracle):
                progress.tell(f"{name} shows no sign of life; its trial goes to the next that asks")
            for record in session.records():
                if record["id"] not in told:
                    told.add(record["id"])
                    progress.end(record)
                    failures.count(record)
            budget.keep()
            time.sleep(chief.POLL_SECONDS)
        farewell = time.perf_counter() + FAREWELL_SECONDS
        while (oracle.has_workers or servicer.waiting) and time.perf_counter() < farewell:
            time.sleep(POLL_SECONDS)


def _is_over(servicer: chief.Servicer, oracle: oracles.Oracle, budget: Budget, heartbeats: chief.Heartbeats) -> bool:
    """Whether nobody works, and nobody will: of a chief whose last worker has died, too."""
    if servicer.error is not None:
        raise servicer.error
    if oracle.busy_workers:
        return False
    if servicer.stop_triggered or not budget.allows_another():
        return True
    return heartbeats.is_long_idle() and not oracle.has_more()


def join(session: Session, address: str, train: Train = train_job.train) -> None:
    """Be a worker of the chief at `address`: train the trials that it proposes until there are none.

    Raises:
      errors.FailedError: the chief does not answer, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; another worker goes on with the trial.
    """
    with _watched(session) as (progress, requests, _), contextlib.closing(chief.RemoteOracle(address)) as oracle:
        name = f"{socket.gethostname()}-{os.getpid()}-"
        numbers = range(session.config.workers)
        heartbeats = chief.HeartbeatSender(session, [f"{name}{number}" for number in numbers])
        trials = Trials(session, oracle, progress, name, on_poll=heartbeats.send)
        with WorkerPool(requests, session.config.workers) as pool:
            pool.run(trials, train)


@contextlib.contextmanager
def _watched(session: Session, num_retrained: int = 0) -> Iterator[tuple[SessionProgress, signals.Requests, Budget]]:
    budget = Budget(session, num_retrained)
    try:
        with SessionProgress(session) as progress, signals.Requests(listen=True) as requests:
            yield progress, requests, budget
    except OSError as error:
        raise errors.FailedError(
            f"session_dir={session.path}: cannot be written ({error.strerror}); make room, then give the same command"
        ) from error


def _begun(
    session: Session, budget: Budget, train: Train, progress: SessionProgress, requests: signals.Requests
) -> oracles.Oracle:
    """The session's oracle, where the journal says it is; its trunk, if it needs one, is trained."""
    if session.space.has_frozen_trunk and not session.config.init_from:
        _train_trunk(session, budget, train, progress, requests)
    config, space = session.config, session.declared()
    return oracles.build(
        config.tuner,
        space,
        session.journal,
        config.max_trials,
        config.max_epochs,
        config.seed,
        budget.spent,
        has_time_limit=config.max_minutes > 0.0,
    )


def _train_trunk(
    session: Session, budget: Budget, train: Train, progress: SessionProgress, requests: signals.Requests
) -> None:
    """Train the trunk whose heads are searched, unless an earlier call has."""
    folder = RunFolder(session.trunk_dir)
    if folder.is_finished:
        return
    progress.tell("training the trunk")
    try:
        with WorkerPool(requests) as pool:
            pool.call(train, session.trunk_job(session.config.seed), folder.path, on_poll=budget.keep)
    except WorkerError as error:
        raise errors.FailedError(f"the trunk: {error}") from error
    finally:
        budget.keep(at_once=True)
