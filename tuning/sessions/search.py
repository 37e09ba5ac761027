"""The search: an oracle proposes trials, worker processes train them, and each record is kept before anything else.

    oracle ──trial──▶ JobFactory ──job──▶ train_job in a worker ──▶ trials/ID.json ──▶ oracle, and its journal

The next call of an interrupted session does not repeat completed trials. Unfinished trials resume from their
checkpoints, and the oracle proposes the same trials as without the interruption.
"""

import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import Iterator

from models.runs.folder import RunFolder
from pipeline.common import errors, files
from pipeline.common.numbers import counted
from pipeline.common.process import signals
from pipeline.common.process.worker_process import WorkerError
from tuning.sessions import chief
from tuning.sessions.budget import KEPT_SECONDS, Budget
from tuning.sessions.oracles import journaled
from tuning.sessions.oracles.oracle import Oracle
from tuning.sessions.progress import SessionProgress
from tuning.sessions.session import Session
from tuning.sessions.trial_runner import ALL_TRIED, FailureCounter, Trials
from tuning.workers import train_job
from tuning.workers.pool import INTERRUPTED, POLL_SECONDS, TimeUpError, WorkerPool
from tuning.workers.train_job import Train

FAREWELL_SECONDS = 20.0  # the most that a chief waits for its workers to get the end of the search


def run(session: Session, train: Train = train_job.train, budget: Budget | None = None) -> None:
    """Search on this machine until the session's trials, minutes, petaflop or proposals are used up.

    `budget` has the session's limits; its minutes run from now on where it is None.

    Raises:
      errors.FailedError: trials fail one after the other, or the folder cannot be written.
      errors.InterruptedRunError: a signal came that ends a process; everything is kept.
    """
    budget = budget or Budget(session)
    with _open_search(session) as (progress, requests):
        _train_trunk(session, budget, train, progress, requests)
        oracle = journaled.build(session.config, session.jobs.hyperparameters(), session.folder.journal, budget.spent)
        oracle.requeue()  # their workers are gone: the folder is locked

        def on_poll() -> None:
            budget.keep()
            budget.check(budget.reserved)

        trials = Trials(session, oracle, progress, "worker", budget.allows_another, on_poll)
        try:
            with WorkerPool(requests, session.config.workers, notify=progress.print) as pool:
                pool.run(trials, train)
        except errors.InterruptedRunError:
            budget.keep(at_once=True)
            raise
        if budget.is_petaflop_used_up():
            progress.print(_petaflop_used_up(session))


def serve(
    session: Session, address: str, train: Train = train_job.train, budget: Budget | None = None, token: str = ""
) -> None:
    """As `run`, as the chief: propose the trials to workers at `address` (HOST:PORT), and train only the trunk.

    Workers need the `token`, if there is one.

    Raises:
      errors.FailedError: the address cannot be bound; others as of `run`.
    """
    budget = budget or Budget(session)
    with (
        _open_search(session) as (progress, requests),
        chief.serving(session, address, budget, token) as servicer,
    ):
        progress.print(f"listening for workers at {address}: start them with --join={address} in place of --serve")
        _train_trunk(session, budget, train, progress, requests)
        oracle = journaled.build(session.config, session.jobs.hyperparameters(), session.folder.journal, budget.spent)
        heartbeats, failures = chief.Heartbeats(session), FailureCounter()
        reported = {record["id"] for record in session.folder.records()}
        servicer.oracle = oracle
        while not _is_over(servicer, oracle, budget, heartbeats):
            if requests.received:
                budget.keep(at_once=True)
                raise errors.InterruptedRunError(INTERRUPTED)
            for name in heartbeats.requeue_timed_out(oracle):
                progress.print(f"no heartbeat from {name}; its trial goes to the next free worker")
            for record in session.folder.records():
                if record["id"] not in reported:
                    reported.add(record["id"])
                    progress.end(record)
                    failures.count(record)
            progress.advance()
            budget.keep()
            time.sleep(chief.POLL_SECONDS)
        if oracle.ongoing_trials:  # the minutes are used up, on the workers too; what they train is saved
            budget.keep(at_once=True)
        elif oracle.is_exhausted:
            progress.print(ALL_TRIED)
        elif budget.is_petaflop_used_up():
            progress.print(_petaflop_used_up(session))
        farewell = time.perf_counter() + min(FAREWELL_SECONDS, budget.saving_seconds())
        while (oracle.tuner_ids or servicer.waiting) and time.perf_counter() < farewell and not requests.received:
            time.sleep(POLL_SECONDS)
        if oracle.ongoing_trials:
            budget.check()


def join(session: Session, address: str, train: Train = train_job.train, token: str = "") -> None:
    """Train the trials that the chief at `address` (HOST:PORT) proposes, until there are none; `token` is the chief's.

    Raises:
      errors.FailedError: the chief does not answer or refuses the token, or the folder cannot be written.
      errors.InterruptedRunError: a signal came that ends a process; another worker goes on with the trial.
    """
    budget = Budget(session)
    num_workers, name = session.config.workers, f"{socket.gethostname()}-{os.getpid()}-"
    heartbeats = chief.HeartbeatSender(session, [f"{name}{number}" for number in range(num_workers)])

    def on_poll() -> None:
        heartbeats.send()
        budget.check()

    def on_wait() -> None:
        if requests.received:
            raise errors.InterruptedRunError(INTERRUPTED)
        on_poll()

    with (
        _open_search(session) as (progress, requests),
        contextlib.closing(chief.RemoteOracle(address, token, progress.task, on_wait)) as oracle,
    ):
        trials = Trials(session, oracle, progress, name, on_poll=on_poll)
        try:
            with WorkerPool(requests, num_workers, notify=progress.print) as pool:
                pool.run(trials, train)
        except chief.NoAnswerError:
            if budget.left() > chief.RPC_SECONDS + KEPT_SECONDS:  # by the journal, which is as old as that
                raise
            progress.print("the chief has ended; the minutes are used up")


def _is_over(servicer: chief.Servicer, oracle: Oracle, budget: Budget, heartbeats: chief.Heartbeats) -> bool:
    """Whether no worker has a trial and none will; also where the last worker has died."""
    if servicer.error is not None:
        raise servicer.error
    if budget.left() <= 0.0:
        return True
    if oracle.ongoing_trials:
        return False
    if servicer.stop_triggered or not budget.allows_another():
        return True
    return heartbeats.is_long_idle() and not oracle.has_more()


def _petaflop_used_up(session: Session) -> str:
    limit, spent = session.config.max_petaflop, session.folder.spent_petaflop()
    return (
        f"max_petaflop={limit:g}: {spent:.3g} used, too little left for another trial; the same command with more "
        "petaflop goes on from there"
    )


@contextlib.contextmanager
def _open_search(session: Session) -> Iterator[tuple[SessionProgress, signals.Requests]]:
    """Progress and signals of a search, which ends with the session's minutes as with its trials."""
    with (
        files.writing("session_dir", session.folder.path),
        SessionProgress(session) as progress,
        signals.Requests(listen=True) as requests,
    ):
        try:
            yield progress, requests
        except TimeUpError as error:
            progress.print(str(error))


def _train_trunk(
    session: Session, budget: Budget, train: Train, progress: SessionProgress, requests: signals.Requests
) -> None:
    """Train the trunk whose heads are searched, unless the session has it or needs none."""
    run_folder = RunFolder(session.folder.trunk_dir)
    if run_folder.is_finished or not session.jobs.needs_trunk:
        return
    job, minutes = session.jobs.trunk(session.config.seed), session.config.max_minutes
    part = f", in --max_minutes={minutes:g}; whether it fits is known after its first steps" if minutes else ""
    progress.print(f"training the trunk, the preset {job.train.preset}, {counted(job.train.epochs, 'epoch')}{part}")
    job = dataclasses.replace(job.shown(), deadline=time.monotonic() + budget.left())

    def on_poll() -> None:
        budget.keep()
        budget.check()

    try:
        with WorkerPool(requests, notify=progress.print) as pool:
            pool.call(train, job, run_folder.path, on_poll=on_poll)
    except WorkerError as error:
        raise errors.FailedError(f"the trunk: {error}") from error
    finally:
        budget.keep(at_once=True)
