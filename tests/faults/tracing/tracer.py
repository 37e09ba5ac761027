"""Traces the operations by which a command and its child processes change the files of a folder.

    def before(operation: Operation) -> Action:              # called before each operation, while its process waits
        return Action.KILL if operation.number == 7 else Action.CONTINUE

    with TracedProcess([sys.executable, "-m", "models.train", ...], folder, before) as process:
        process.wait()

`interposer.c`, loaded by LD_PRELOAD, reports the calls of Python and of the C++ libraries alike.
"""

import contextlib
import dataclasses
import enum
import functools
import os
import pathlib
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from pipeline.common import errors
from tests.conftest import ROOT

SOURCE = pathlib.Path(__file__).with_name("interposer.c")
# Roles: the command itself; a process of a worker pool, or a worker of a distributed training; git and others.
MAIN, WORKER, OTHER = "main", "worker", "other"


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation that is about to happen; consecutive writes to one file are a single one, with `half` inside."""

    number: int  # from 1, of the command and its child processes together
    number_of_role: int  # from 1, of all processes of its role
    kind: str  # create, truncate, write, half (the first write is half done), flush, fsync, resize, rename, ...
    path: pathlib.Path
    second: pathlib.Path  # the target of a rename
    role: str
    pid: int


class Action(enum.Enum):
    """What happens in place of an operation, or with it."""

    CONTINUE = b"c"
    SPLIT = b"s"  # write half of the bytes, and report again
    CLOCK_BACK = b"b"  # continue, and set the clock of this process back
    KILL = b"k"  # the process of the operation, by SIGKILL
    KILL_ALL = b"a"  # it and all others that the command started


def is_available() -> bool:
    """Whether the interposer can be compiled and loaded here."""
    return os.uname().sysname == "Linux" and shutil.which("cc") is not None


@functools.cache
def library() -> pathlib.Path:
    """The compiled interposer; errors.FailedError where there is no C compiler."""
    if not is_available():
        raise errors.FailedError("cc: not found; tracing file operations needs Linux and a C compiler")
    built = pathlib.Path(tempfile.gettempdir()) / f"faults-{os.getuid()}-{SOURCE.stat().st_mtime_ns}.so"
    if not built.exists():
        partial = built.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", partial, SOURCE, "-ldl", "-lpthread"], check=True)
        partial.replace(built)
    return built


class TracedProcess:
    """A context of a command that runs; at its end all of its processes have ended, killed if need be."""

    def __init__(
        self,
        command: Sequence[str],
        folder: pathlib.Path,
        before: Callable[[Operation], Action] = lambda _: Action.CONTINUE,
        *,
        clock_back_s: int = 0,
        **environment: str,
    ) -> None:
        self._command, self._before = command, before
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="faults-"))
        socket_path = self._home / "socket"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self._home),
            "LD_PRELOAD": str(library()),
            "FAULTS_SOCKET": str(socket_path),
            "FAULTS_FOLDERS": str(folder),
            "FAULTS_CLOCK_BACK_S": str(clock_back_s),
            **environment,
        }
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(socket_path))
        self._listener.listen(64)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._has_ended = threading.Event()
        self._server = threading.Thread(target=self._serve, daemon=True)
        self._peers: dict[socket.socket, tuple[int, str]] = {}
        self._written: dict[int, str] = {}  # of a process: the file that its latest operation wrote to
        self._counts = {MAIN: 0, WORKER: 0, OTHER: 0}
        self.error: BaseException | None = None  # of `before`

    def __enter__(self) -> "TracedProcess":
        self._output = (self._home / "output").open("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environment, stdout=self._output, stderr=self._output, text=True
        )
        self._server.start()  # the process waits for it
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill_all()
        self.process.wait()
        self._has_ended.set()
        self._server.join()
        for peer in list(self._peers):
            peer.close()
        self._selector.close()
        self._listener.close()
        self._output.close()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def count(self) -> int:
        """The number of operations so far."""
        return sum(self._counts.values())

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the command's end, at most `timeout` seconds; its exit code, None where it has not ended."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        if self.error is not None:
            raise self.error
        return code

    def output(self) -> str:
        """What the command has written to stdout and stderr so far."""
        return (self._home / "output").read_text(encoding="utf-8", errors="replace")

    def last_line(self) -> str:
        """The last line that the command has written."""
        return (self.output().strip().splitlines() or ["no output"])[-1]

    def kill(self, role: str, choose: Callable[[list[int]], list[int]] = lambda pids: pids) -> int:
        """Kill the command itself, or those of its workers that are chosen; how many there were."""
        if role == MAIN:
            pids = [self.process.pid] if self.process.poll() is None else []
        else:
            pids = [pid for pid, peers_role in list(self._peers.values()) if peers_role == role]
        processes = {pid: one for pid in sorted(set(pids)) if (one := _process(pid)) is not None}
        chosen = choose(list(processes)) if processes else []
        for pid in chosen:
            processes[pid].kill()
        return len(chosen)

    def orphans(self, seconds: float) -> list[int]:
        """Wait until the processes of a killed command have ended, at most `seconds`; those that have not."""
        end = time.monotonic() + seconds
        while True:
            pids = {pid for pid, _ in list(self._peers.values())}
            alive = [pid for pid in pids if _process(pid) is not None]
            if not alive or time.monotonic() > end:
                return alive
            time.sleep(0.05)

    def kill_all(self) -> None:
        """Kill the command and every process that it started, and wait until they are gone."""
        while True:
            alive = {self.process.pid, *(pid for pid, _ in list(self._peers.values()))}
            processes = [one for one in map(_process, alive) if one is not None]
            for one in processes:
                one.kill()
            if not processes:
                return
            self.process.poll()  # which reaps it
            time.sleep(0.01)

    def _serve(self) -> None:
        while not self._has_ended.is_set():
            for key, _ in self._selector.select(timeout=0.05):
                if key.fileobj is self._listener:
                    peer, _ = self._listener.accept()
                    pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                    self._peers[peer] = pid, MAIN if pid == self.process.pid else _role(pid)
                    self._selector.register(peer, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    self._answer(key.fileobj)

    def _answer(self, peer: socket.socket) -> None:
        try:
            message = peer.recv(1 << 16)
        except OSError:
            message = b""
        if not message:
            self._selector.unregister(peer)
            self._peers.pop(peer)
            peer.close()
            return
        kind, path, second = (os.fsdecode(part) for part in message.split(b"\0"))
        action = self._decide(peer, kind, path, second)
        if action is Action.KILL:
            os.kill(self._peers[peer][0], signal.SIGKILL)
        elif action is Action.KILL_ALL:
            for pid in {pid for pid, _ in self._peers.values()}:
                os.kill(pid, signal.SIGKILL)
        else:
            with contextlib.suppress(OSError):  # it has been killed from outside
                peer.send(action.value)

    def _decide(self, peer: socket.socket, kind: str, path: str, second: str) -> Action:
        pid, role = self._peers[peer]
        if kind == "write" and self._written.get(pid) == path:
            return Action.CONTINUE
        self._written[pid] = path if kind in ("write", "half") else ""
        if kind != "start":
            self._counts[role] += 1
        operation = Operation(self.count, self._counts[role], kind, pathlib.Path(path), pathlib.Path(second), role, pid)
        try:
            action = self._before(operation)
        except BaseException as error:
            self.error = error
            return Action.KILL_ALL
        return Action.SPLIT if action is Action.CONTINUE and kind == "write" else action


def _role(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"--multiprocessing-fork" in words or b"--num_processes=0" in words:
            return WORKER
    return OTHER


def _process(pid: int) -> Any:
    try:
        one = psutil.Process(pid)
        return None if one.status() == psutil.STATUS_ZOMBIE else one
    except psutil.NoSuchProcess:
        return None
