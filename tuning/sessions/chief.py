"""One search over several machines: a chief that proposes trials, workers that train them, a folder that all can write.

    python -m tuning.tune --session_dir=SHARED --serve=127.0.0.1:8700      # the chief; trains no trial
    python -m tuning.tune --session_dir=SHARED --join=127.0.0.1:8700       # a worker; as many as one likes

Keras Tuner's gRPC service carries the proposals; the records lie in the folder. Keras Tuner's chief waits for ever for
a worker that has died, or after failures. This one gives the trial of a worker without heartbeats to the next that
asks, and ends when the search does. Clients that send anything else, or nothing, keep no worker waiting. With a token
(`--token_file`) calls without it are refused; it is not encrypted.
"""

import asyncio
import contextlib
import hmac
import math
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial

from pipeline import address as addresses
from pipeline.common import errors, progress
from tuning.sessions.budget import Budget
from tuning.sessions.oracles.oracle import IDLE, STOPPED, Oracle, protos
from tuning.sessions.session import Session

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0  # between two heartbeats of a worker
TIMEOUT_SECONDS = 60.0  # without a heartbeat, after which a worker's trial is given to another
RPC_SECONDS = 60.0  # the most that a call of the chief may take
METHODS = ("CreateTrial", "EndTrial")  # of Keras Tuner's service; others could change the search
MAX_MESSAGE_BYTES = 1 << 20  # a trial of hundreds of hyperparameters
MAX_CALLS = 1000  # at a time
TOKEN_KEY = "session-token"  # of a call's metadata
_WORKER_NAME = re.compile(r"\w[\w.-]{0,254}")  # of a file in the session's folder


class NoAnswerError(errors.FailedError):
    """The chief does not answer: it has ended, or it cannot be reached."""


class Servicer(protos.get_service_grpc().OracleServicer):  # type: ignore[misc]  # of no known type
    """Keras Tuner's service, with records read from the session's folder and with errors that reach the chief."""

    def __init__(self, session: Session, budget: Budget) -> None:
        self.oracle: Any = None  # an Oracle; workers wait for it
        self.stop_triggered = False  # whether a worker has got the end of the search
        self._session, self._budget = session, budget
        self.error: Exception | None = None  # of the oracle or its journal; the chief must end
        self.waiting: set[str] = set()  # workers that are to ask again; Keras Tuner's `tuner_ids` lose them

    def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802  # the service's name
        """The oracle's proposal. Without one, a worker waits while others work, since their trials may be requeued."""
        if not _WORKER_NAME.fullmatch(request.tuner_id):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected the name of a worker")
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
        oracle, trial_id = self.oracle, request.trial.trial_id
        if oracle is None or trial_id not in oracle.trials:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no trial {trial_id!r} was proposed here")
        record = self._guarded(context, lambda: self._session.folder.record(trial_id))
        if record is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"trial {trial_id} has no record here")
        self._guarded(context, lambda: oracle.finish(oracle.get_trial(trial_id), record))
        return protos.get_service().EndTrialResponse()

    def _proposed(self, worker: str) -> Trial:
        trial = Trial(self.oracle.get_space(), "", STOPPED)
        if self._budget.allows_another(len(self.oracle.ongoing_trials.keys() - {worker})):
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


class _Gate(grpc.aio.ServerInterceptor):
    """Lets calls of METHODS with the token through."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[grpc.RpcMethodHandler]], handler_call_details: Any
    ) -> grpc.RpcMethodHandler | None:
        """The handler of a call, one that refuses it, or none."""
        sent = dict(handler_call_details.invocation_metadata).get(TOKEN_KEY, "")
        if not hmac.compare_digest(sent.encode() if isinstance(sent, str) else sent, self._token):
            return grpc.unary_unary_rpc_method_handler(_refuse)
        is_known = handler_call_details.method.rpartition("/")[2] in METHODS
        return await continuation(handler_call_details) if is_known else None


async def _refuse(request: bytes, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is missing or another one")


@contextlib.contextmanager
def serving(session: Session, address: str, budget: Budget, token: str = "") -> Iterator[Servicer]:
    """Serve workers at `address` (HOST:PORT) while the context lasts; fail where it cannot be bound."""
    servicer = Servicer(session, budget)
    with futures.ThreadPoolExecutor(1) as calls, _event_loop() as run:
        server = run(_started(servicer, address, token, calls))
        try:
            yield servicer
        finally:
            run(server.stop(grace=2.0))


async def _started(servicer: Servicer, address: str, token: str, calls: futures.Executor) -> grpc.aio.Server:
    """A server that runs the servicer's methods, one at a time, on `calls`.

    It is asynchronous: in gRPC's other one a client that begins a call and sends no message keeps a thread.
    """
    server = grpc.aio.server(
        calls,
        interceptors=(_Gate(token),),
        options=(("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)),
        maximum_concurrent_rpcs=MAX_CALLS,
    )
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    port = 0
    with contextlib.suppress(RuntimeError):
        port = server.add_insecure_port(address)
    if not port:
        raise addresses.cannot_listen("serve", address, "gRPC refuses it")
    await server.start()
    return server


@contextlib.contextmanager
def _event_loop() -> Iterator[Callable[[Any], Any]]:
    """A function that runs a coroutine on the event loop of a thread, and returns its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chief")
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


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
      token: the chief's, if it has one.
      show: a context that shows what the worker waits for.
      on_wait: called every POLL_SECONDS of a call of the chief; an error of its own ends the call.
    """

    is_exhausted = False  # the chief says so

    def __init__(
        self,
        address: str,
        token: str = "",
        show: Callable[[str], contextlib.AbstractContextManager[Any]] = progress.task,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._address, self._show, self._on_wait = address, show, on_wait
        self._metadata = ((TOKEN_KEY, token),)
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
        future = method.future(request, wait_for_ready=True, timeout=RPC_SECONDS, metadata=self._metadata)
        try:
            while True:
                with contextlib.suppress(grpc.FutureTimeoutError):
                    return future.result(timeout=POLL_SECONDS)
                self._on_wait()
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                raise errors.FailedError(
                    f"join={self._address}: the chief refuses the worker ({error.details()}); set the chief's "
                    "--token_file"
                ) from error
            raise NoAnswerError(
                f"join={self._address}: the chief does not answer ({error.code().name}: {error.details()})"
            ) from error
