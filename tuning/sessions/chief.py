"""One search over several machines: a chief that proposes trials, workers that train them, a folder that all can write.

    python -m tuning.tune --session_dir=SHARED --serve=127.0.0.1:8700      # the chief; trains no trial
    python -m tuning.tune --session_dir=SHARED --join=127.0.0.1:8700       # a worker; as many as one likes

Keras Tuner's own service (gRPC) carries proposals; outcomes lie in the folder. Its chief waits for ever for a worker
that has died, or after failures; this one gives the trial of a worker that shows no sign of life to the next that asks,
and ends when the search does. The service knows no passwords: an address beyond this machine is for private networks.
"""

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from pipeline.common import errors
from tuning.sessions import oracles
from tuning.sessions.session import Session

POLL_SECONDS = 0.5
LIFE_SIGN_SECONDS = 5.0  # between two signs of a worker's life
SILENT_SECONDS = 60.0  # after which its trial is given to another
ANSWER_SECONDS = 60.0  # that a chief may take


class Servicer(OracleServicer):
    """Keras Tuner's, but that outcomes are read from the session's folder, and that nothing goes wrong in silence.

    Attributes:
      oracle: None until there is one; who asks before has to wait.
      error: what went wrong with the oracle or its journal; the chief must not go on.
      waiting: workers that were told to ask again, and have not yet; Keras Tuner's `tuner_ids` lose them.
    """

    def __init__(self, session: Session, allows_another: Callable[[], bool]) -> None:
        super().__init__(None)
        self._session, self._allows_another = session, allows_another
        self.error: Exception | None = None
        self.waiting: set[str] = set()

    def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802  # the service's name
        """The oracle's proposal. A worker for whom there is none waits while others work: theirs may be given up."""
        trial = Trial(keras_tuner.HyperParameters(), "", oracles.IDLE)
        if self.oracle is not None:
            trial = self._guarded(context, lambda: self._proposed(request.tuner_id))
        if trial.status == oracles.IDLE:
            self.waiting.add(request.tuner_id)
        else:
            self.waiting.discard(request.tuner_id)
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take a trial back, as its record in the folder has it."""
        trial_id = request.trial.trial_id
        record = self._session.record(trial_id)
        if record is None or self.oracle is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"trial {trial_id} has no record here")
        self._guarded(context, lambda: self.oracle.finish(self.oracle.get_trial(trial_id), record))
        return protos.get_service().EndTrialResponse()

    def _proposed(self, worker: str) -> Trial:
        trial = Trial(self.oracle.get_space(), "", oracles.STOPPED)
        if self._allows_another():
            trial = self.oracle.create_trial(worker)
        if trial.status == oracles.STOPPED:
            if self.oracle.ongoing_trials:
                trial.status = oracles.IDLE
            else:
                self.stop_triggered = True
        return trial

    def _guarded(self, context: Any, call: Callable[[], Any]) -> Any:
        if self.error is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the chief is about to end")
        try:
            return call()
        except Exception as error:  # gRPC would tell the worker, and nobody here
            self.error = error
            context.abort(grpc.StatusCode.UNAVAILABLE, f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def serving(session: Session, address: str, allows_another: Callable[[], bool]) -> Iterator[Servicer]:
    """Answer workers at `address` (HOST:PORT) while the context lasts.

    Args:
      session: whose folder has the outcomes.
      address: where to listen.
      allows_another: whether there is time for one more trial.

    Raises:
      errors.FailedError: the address cannot be had.
    """
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=(("grpc.so_reuseport", 0),))
    servicer = Servicer(session, allows_another)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise errors.FailedError(f"serve={address}: cannot be had; choose another port") from error
    if not port:
        raise errors.FailedError(f"serve={address}: cannot be had; choose another port")
    server.start()
    try:
        yield servicer
    finally:
        server.stop(grace=2.0).wait()


class LifeSigns:
    """The signs of workers' life in a session's folder, by this process's own clock: others' may differ.

    Args:
      session: whose folder has them.
      clock: seconds that only ever grow.
    """

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session, self._clock = session, clock
        self._seen: dict[str, tuple[float, float]] = {}  # of a worker: its last sign, and when that was seen first
        self._busy = clock()

    def give_up_silent(self, oracle: oracles.Oracle) -> list[str]:
        """Let trials of workers that have shown no sign for SILENT_SECONDS be run by others; their names."""
        now, working = self._clock(), list(oracle.ongoing_trials)
        if working:
            self._busy = now
        for name in working:
            sign = self._sign(name)
            if self._seen.get(name, (-1.0, 0.0))[0] != sign:
                self._seen[name] = (sign, now)
        silent = [name for name in working if now - self._seen[name][1] > SILENT_SECONDS]
        if silent:
            oracle.requeue(silent)
        for name in silent:
            del self._seen[name]
        return silent

    def is_long_idle(self) -> bool:
        """Whether nobody has worked for SILENT_SECONDS; true once, then again after as long."""
        now = self._clock()
        if now - self._busy < SILENT_SECONDS:
            return False
        self._busy = now
        return True

    def _sign(self, name: str) -> float:
        try:
            return _sign(self._session, name).stat().st_mtime
        except FileNotFoundError:
            return 0.0


def show_life(session: Session, name: str) -> None:
    """Leave a sign of a worker's life in the session's folder."""
    path = _sign(session, name)
    path.parent.mkdir(exist_ok=True)
    path.touch()


def _sign(session: Session, name: str) -> pathlib.Path:
    return session.path / "workers" / name


class RemoteOracle:
    """A chief's oracle, as a worker sees it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel = grpc.insecure_channel(address)
        self._stub = protos.get_service_grpc().OracleStub(self._channel)

    def create_trial(self, tuner_id: str) -> Trial:
        """The trial that the worker is to run."""
        request = protos.get_service().CreateTrialRequest(tuner_id=tuner_id)
        return Trial.from_proto(self._asked(self._stub.CreateTrial, request).trial)

    def finish(self, trial: Trial, record: Mapping[str, Any]) -> None:
        """Give back a trial whose record is written."""
        trial.status = record["status"]
        self._asked(self._stub.EndTrial, protos.get_service().EndTrialRequest(trial=trial.to_proto()))

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _asked(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, wait_for_ready=True, timeout=ANSWER_SECONDS)
        except grpc.RpcError as error:
            raise errors.FailedError(
                f"join={self._address}: the chief does not answer ({error.code().name}: {error.details()})"
            ) from error
