"""The processes of a distributed training, as TF_CONFIG describes them. Needs no TensorFlow.

Kubernetes' training operators, Vertex AI and scripts for Slurm set it:

    {"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}
"""

import contextlib
import dataclasses
import json
import os
import re
import socket
import time
from typing import Any

from pipeline.address import is_loopback, split
from pipeline.common import errors, json_values, progress
from pipeline.common.process import environment, loopback

VARIABLE = "TF_CONFIG"
CONNECT_SECONDS = 2.0
GREETING_SECONDS = 10.0  # of a process on a busy machine
ENDING_SECONDS = 10.0  # in which a worker whose connections are closed closes its port too
POLL_SECONDS = 0.2
WAIT_SECONDS = 3600.0  # for a worker that is still to be started: others may wait in a queue, or fetch an image
TASKS = ("chief", "worker")  # the first of all is the one that writes
_SCHEMA = json_values.required(
    {
        "cluster": json_values.mapping(json_values.array(json_values.TEXT)),
        "task": json_values.required({"type": json_values.TEXT, "index": json_values.INTEGER}),
    }
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes of a training, by address, and which of them this one is."""

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run's folder."""
        return self.index == 0

    def name(self, index: int) -> str:
        """A process in a message: "worker 1 (10.0.0.2:2222)"."""
        return f"worker {index} ({self.addresses[index]})"

    def lost(self, message: str) -> str:
        """The names of the other workers that are gone or stand still; "" where all answer while one could be ending.

        Of several, those that an error's message names.
        """
        deadline = time.monotonic() + ENDING_SECONDS
        others = [index for index in range(len(self.addresses)) if index != self.index]
        while not (lost := [index for index in others if not self._greets(index)]):
            if time.monotonic() > deadline:
                return ""
            time.sleep(POLL_SECONDS)
        named = [index for index in lost if re.search(rf"task:{index}\b", message)]
        return " and ".join(map(self.name, named or lost))

    def meet(self) -> None:
        """Wait until each other process has come, and let them connect; TensorFlow's wait would heed no signal.

        Raises:
          errors.FailedError: another program has this process's port, or it cannot be closed to other machines.
          errors.WorkerLostError: a process has not come in WAIT_SECONDS.
        """
        address, deadline = self.addresses[self.index], time.monotonic() + WAIT_SECONDS
        has_ipv6 = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if has_ipv6 else socket.AF_INET
        try:
            listener = socket.create_server(("", split(address)[1]), family=family, dualstack_ipv6=has_ipv6)
        except (OSError, OverflowError) as error:
            reason = f"{error}; set another port, the same in {VARIABLE} of all workers"
            raise errors.FailedError(f"cannot listen on {address}: {reason}") from error
        with listener:
            self.close_to_others()
            for index in range(len(self.addresses)):
                with progress.task(f"waiting for {self.name(index)}"):
                    while index != self.index and not self._answers(index):
                        if time.monotonic() > deadline:
                            raise errors.WorkerLostError(
                                f"no contact with {self.name(index)}: start the same command on all workers"
                            )
                        time.sleep(POLL_SECONDS)

    def close_to_others(self) -> None:
        """Close the ports of this process to other machines if all processes are on this one.

        TensorFlow's server listens at all addresses of the machine, whichever the cluster names.

        Raises:
          errors.FailedError: they cannot be closed.
        """
        if not all(is_loopback(split(address)[0]) for address in self.addresses):
            return
        try:
            loopback.close_to_others()
        except OSError as error:
            raise errors.FailedError(
                f"{self.name(self.index)} listens at all addresses of this machine, and cannot be closed to others "
                f"({error}); where nobody else reaches this machine, set {VARIABLE} with another address of it"
            ) from error

    def _answers(self, index: int) -> bool:
        """Whether a process listens."""
        with contextlib.suppress(OSError), self._connected(index):
            return True
        return False

    def _greets(self, index: int) -> bool:
        """Whether a process is alive: gRPC speaks first. To one that stands still, the kernel connects too."""
        with contextlib.suppress(OSError), self._connected(index) as connection:
            connection.settimeout(GREETING_SECONDS)
            return bool(connection.recv(1))
        return False

    def _connected(self, index: int) -> socket.socket:
        return socket.create_connection(split(self.addresses[index]), timeout=CONNECT_SECONDS)

    def as_tf_config(self) -> str:
        """The value of TF_CONFIG for this process."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": self.addresses}, "task": task})


def from_environment() -> Cluster:
    """The cluster of TF_CONFIG, which `environment.clean` has put aside in a binary.

    Raises:
      errors.BadArgumentError: the variable is not set, or does not describe a cluster with this process.
    """
    text = _text()
    if not text:
        raise errors.BadArgumentError(
            f"distribute=multi_worker: {VARIABLE} is not set; let your scheduler set it, or start workers on this "
            "machine with --num_processes"
        )
    try:
        return _parsed(text)
    except json.JSONDecodeError as error:
        raise errors.BadArgumentError(f"{VARIABLE}={text}: expected JSON, got {error}") from error
    except ValueError as error:
        raise errors.BadArgumentError(f"{VARIABLE}={text}: {error}") from error


def check_parts(batch_size: int, count: int) -> None:
    """Raise errors.BadArgumentError unless so many workers or replicas can have equal parts of a batch."""
    if batch_size % count:
        raise errors.BadArgumentError(
            f"batch_size={batch_size}: expected a multiple of {count}, the workers or replicas that divide each batch"
        )


def is_described() -> bool:
    """Whether TF_CONFIG is set."""
    return bool(_text())


def of_this_machine(num_processes: int) -> list[Cluster]:
    """A cluster of free ports of 127.0.0.1, as each of its processes sees it."""
    sockets = [socket.socket() for _ in range(num_processes)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)
    for one in sockets:
        one.close()
    return [Cluster(addresses, index) for index in range(num_processes)]


def _text() -> str:
    return os.environ.get(VARIABLE) or environment.removed.get(VARIABLE, "")


def _parsed(text: str) -> Cluster:
    values: dict[str, Any] = json_values.parse(text, _SCHEMA)
    tasks, kind, index = values["cluster"], values["task"]["type"], values["task"]["index"]
    for name in tasks:
        if name not in TASKS:
            raise ValueError(f"expected tasks of type worker or chief, got {name!r}")
    if not 0 <= index < len(tasks.get(kind, ())):
        raise ValueError(f"expected this process to be one of its tasks, got {kind} {index}")
    addresses = [address for name in TASKS for address in tasks.get(name, ())]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or addresses.count(address) > 1:
            raise ValueError(f"expected different addresses HOST:PORT, got {address!r}")
    return Cluster(tuple(addresses), index + (len(tasks.get("chief", ())) if kind == "worker" else 0))
