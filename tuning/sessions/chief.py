"""One search over several machines: a chief that proposes trials, workers that train them, a folder that all can write.

    python -m tuning.tune --session_dir=SHARED --serve=127.0.0.1:8700      # the chief; trains no trial
    python -m tuning.tune --session_dir=SHARED --join=127.0.0.1:8700       # a worker; as many as one likes

Keras Tuner's gRPC service carries the proposals; the records lie in the folder. Keras Tuner's chief waits for ever for
a worker that has died, or after failures. This one gives the trial of a worker without heartbeats to the next that
asks, and ends when the search does. The service has no passwords: beyond this machine, use private networks only.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial

from pipeline.common import errors, progress
from tuning.sessions import chief_address
from tuning.sessions.oracles.journaled import IDLE, STOPPED, Oracle, OracleServicer, protos
from tuning.sessions.session import Session
from tuning.sessions.time_budget import Budget

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0  # between two heartbeats of a worker
TIMEOUT_SECONDS = 60.0  # without a heartbeat, after which a worker's trial is given to another
RPC_SECONDS = 60.0  # the most that a call of the chief may take


class NoAnswerError(errors.FailedError):
    """The chief does not answer: it has ended, or it cannot be reached."""


class Servicer(OracleServicer):
    """Keras Tuner's service, with records read from the session's folder and with errors that reach the chief."""

    def __init__(self, session: Session, budget: Budget) -> None:
        super().__init__(None)  # no oracle yet; workers wait for it
        self._session, self._budget = session, budget
        self.error: Exception | None = None  # of the oracle or its journal; the chief must end
        self.waiting: set[str] = set()  # workers that are to ask again; Keras Tuner's `tuner_ids` lose them

    def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802  # the service's name
        """The oracle's proposal. Without one, a worker waits while others work, since their trials may be requeued."""
        trial = Trial(keras_tuner.HyperParameters(), "", IDLE)
        if self.oracle is not None:
            trial = self._guarded(context, lambda: self._proposed(request.tuner_id))
        if trial.status == IDLE:
            self.waiting.add(request.tuner_id)
        else:
            self.waiting.discard(request.tuner_id)
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """End a trial with its record in the folder."""
        trial_id = request.trial.trial_id
        record = self._guarded(context, lambda: self._session.folder.record(trial_id))
        if record is None or self.oracle is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"trial {trial_id} has no record here")
        self._guarded(context, lambda: self.oracle.finish(self.oracle.get_trial(trial_id), record))
        return protos.get_service().EndTrialResponse()

    def _proposed(self, worker: str) -> Trial:
        trial = Trial(self.oracle.get_space(), "", STOPPED)
        if self._budget.allows_another():
            trial = self.oracle.create_trial(worker)
        if trial.status == STOPPED:
            if self.oracle.ongoing_trials and self._budget.left() > 0.0:
                trial.status = IDLE
            else:
                self.stop_triggered = True
        return trial

    def _guarded(self, context: Any, call: Callable[[], Any]) -> Any:
        if self.error is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the chief is about to end")
        try:
            return call()
        except Exception as error:  # gRPC would pass it to the worker alone
            self.error = error
            context.abort(grpc.StatusCode.UNAVAILABLE, f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def serving(session: Session, address: str, budget: Budget) -> Iterator[Servicer]:
    """Serve workers at `address` (HOST:PORT) while the context lasts; fail where it cannot be bound."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=(("grpc.so_reuseport", 0),))
    servicer = Servicer(session, budget)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    port = 0
    with contextlib.suppress(RuntimeError):
        port = server.add_insecure_port(address)
    if not port:
        raise chief_address.cannot_listen(address, "gRPC refuses it")
    server.start()
    try:
        yield servicer
    finally:
        server.stop(grace=2.0).wait()


class HeartbeatSender:
    """Touches a file for each worker of this process in the session's folder, every HEARTBEAT_SECONDS."""

    def __init__(self, session: Session, worker_names: Sequence[str]) -> None:
        self._session, self._worker_names = session, worker_names
        self._sent = -math.inf

    def send(self) -> None:
        """Send the heartbeats if it is time; may be called as often as one likes."""
        if time.monotonic() - self._sent > HEARTBEAT_SECONDS:
            self._sent = time.monotonic()
            for name in self._worker_names:
                path = self._session.folder.heartbeat_file(name)
                path.parent.mkdir(exist_ok=True)
                path.touch()


class Heartbeats:
    """The chief's view of the workers' heartbeats, by this process's clock, since clocks of machines differ."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session, self._clock = session, clock
        self._seen: dict[str, tuple[float, float]] = {}  # of a worker: its last heartbeat, and when it was seen first
        self._busy = clock()

    def requeue_timed_out(self, oracle: Oracle) -> list[str]:
        """Requeue the trials of workers without a heartbeat for TIMEOUT_SECONDS; return the workers' names."""
        now, working = self._clock(), list(oracle.ongoing_trials)  # which workers may change meanwhile
        if working:
            self._busy = now
        for name in working:
            heartbeat = self._last(name)
            if self._seen.get(name, (-1.0, 0.0))[0] != heartbeat:
                self._seen[name] = (heartbeat, now)
        timed_out = [name for name in working if now - self._seen[name][1] > TIMEOUT_SECONDS]
        if timed_out:
            oracle.requeue(timed_out)
        for name in timed_out:
            del self._seen[name]
        return timed_out

    def is_long_idle(self) -> bool:
        """Whether no worker has had a trial for TIMEOUT_SECONDS; true once, then again after as long."""
        now = self._clock()
        if now - self._busy < TIMEOUT_SECONDS:
            return False
        self._busy = now
        return True

    def _last(self, name: str) -> float:
        try:
            return self._session.folder.heartbeat_file(name).stat().st_mtime
        except FileNotFoundError:
            return 0.0


class RemoteOracle:
    """The oracle of the chief at an address, for a worker.

    Args:
      address: HOST:PORT.
      show: a context that shows what the worker waits for.
      on_wait: called every POLL_SECONDS of a call of the chief; an error of its own ends the call.
    """

    is_exhausted = False  # the chief says so

    def __init__(
        self,
        address: str,
        show: Callable[[str], contextlib.AbstractContextManager[Any]] = progress.task,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._address, self._show, self._on_wait = address, show, on_wait
        self._channel = grpc.insecure_channel(address)
        self._stub = protos.get_service_grpc().OracleStub(self._channel)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def create_trial(self, tuner_id: str) -> Trial:
        """The trial that the worker is to run."""
        request = protos.get_service().CreateTrialRequest(tuner_id=tuner_id)
        with self._show(f"waiting for the chief at {self._address}"):
            return Trial.from_proto(self._call(self._stub.CreateTrial, request).trial)

    def finish(self, trial: Trial, record: Mapping[str, Any]) -> None:
        """End a trial whose record is written."""
        trial.status = record["status"]
        self._call(self._stub.EndTrial, protos.get_service().EndTrialRequest(trial=trial.to_proto()))

    def _call(self, method: Any, request: Any) -> Any:
        future = method.future(request, wait_for_ready=True, timeout=RPC_SECONDS)
        try:
            while True:
                with contextlib.suppress(grpc.FutureTimeoutError):
                    return future.result(timeout=POLL_SECONDS)
                self._on_wait()
        except grpc.RpcError as error:
            raise NoAnswerError(
                f"join={self._address}: the chief does not answer ({error.code().name}: {error.details()})"
            ) from error
