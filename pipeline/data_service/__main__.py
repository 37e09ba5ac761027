"""Make training batches for other processes, with tf.data service.

    python -m pipeline.data_service --role=dispatcher,worker
    python -m models.train --data_service=127.0.0.1:8710

A dispatcher hands out the steps of trainings; its workers make the batches of these steps from --data_dir of the
training, which they need at the same path. There may be several workers, which may come and go (--role=worker). SIGINT
(Ctrl-C) or SIGTERM ends a server. A dispatcher that is started again with the same --port and --work_dir goes on.

Whoever reaches a dispatcher or a worker can run TensorFlow's operations there, reading and writing files included.
"""

import contextlib
import pathlib
import time

from pipeline import address
from pipeline.common import app, config, errors, locked_folder
from pipeline.common.process import signals

DISPATCHER, WORKER = "dispatcher", "worker"
PORT_OF_DISPATCHER = 8710
POLL_SECONDS = 0.2
IDENTITY = "dispatcher"  # a file of every folder of a dispatcher

flags = app.Flags()
ROLE = flags.DEFINE_list("role", [DISPATCHER, WORKER], "role of this process: dispatcher, worker or dispatcher,worker")
HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "name or address of this machine for workers and trainings; with another one than loopback, others reach it",
)
PORT = flags.DEFINE_integer(
    "port",
    None,
    f"port of the dispatcher ({PORT_OF_DISPATCHER} unless set), or of a worker alone (unless set, a free one)",
    lower_bound=0,
    upper_bound=65535,
)
DISPATCHER_ADDRESS = flags.DEFINE_string(DISPATCHER, "", "HOST:PORT of the dispatcher, for --role=worker")
WORK_DIR = flags.DEFINE_path("work_dir", "runs/data_service", "folder of the dispatcher's journal")
INSECURE = flags.DEFINE_bool(
    "insecure", False, "listen at an address that other machines reach, without authentication"
)


def main() -> None:
    """Serve until a signal."""
    _check_flags()
    roles, is_own = ROLE.value, not INSECURE.value
    path = pathlib.Path(WORK_DIR.value)
    if PORT.value != 0 and (DISPATCHER in roles or PORT.value):
        # TensorFlow's servers share a port with others, which then get a part of the calls.
        address.check_free("port", f"0.0.0.0:{PORT.value or PORT_OF_DISPATCHER}")
    if DISPATCHER in roles:
        locked_folder.check_available(path, flag="work_dir", identity=IDENTITY)
    else:
        address.check_listening(DISPATCHER, DISPATCHER_ADDRESS.value)
    app.load_tensorflow()
    from pipeline.data_service import servers

    with contextlib.ExitStack() as stack:
        requests = stack.enter_context(signals.Requests(listen=True))
        dispatched_by, running = DISPATCHER_ADDRESS.value, []
        if DISPATCHER in roles:
            stack.enter_context(locked_folder.open_locked(path, flag="work_dir", identity=IDENTITY))
            (path / IDENTITY).touch()
            port = PORT_OF_DISPATCHER if PORT.value is None else PORT.value
            running.append(servers.dispatcher(port, path / "journal", is_own=is_own))
            dispatched_by = f"{HOST.value}:{address.split(running[0].target)[1]}"
            print(f"dispatcher: train with --data_service={dispatched_by}; Ctrl-C ends it", flush=True)
        if WORKER in roles:
            port = 0 if DISPATCHER in roles else PORT.value or 0
            running.append(servers.worker(HOST.value, port, dispatched_by, is_own=is_own))
            print(f"worker of the dispatcher at {dispatched_by}; Ctrl-C ends it", flush=True)
        while not requests.received:
            time.sleep(POLL_SECONDS)


def _check_flags() -> None:
    roles, host, set_flags = ROLE.value, HOST.value, config.given_flags()
    if not roles or len({*roles}) < len(roles) or {*roles} - {DISPATCHER, WORKER}:
        raise errors.BadArgumentError(f"role={','.join(roles)}: expected dispatcher, worker or dispatcher,worker")
    if not address.is_loopback(host) and not INSECURE.value:
        raise errors.BadArgumentError(
            f"host={host}: whoever reaches it could run TensorFlow's operations here, without a password; set "
            "--insecure on a network of your own, or leave --host out"
        )
    unread = DISPATCHER if DISPATCHER in roles else "work_dir"
    if set_flags.get(unread):
        raise errors.BadArgumentError(f"{unread}={set_flags[unread]}: nothing reads it with --role={','.join(roles)}")
    if DISPATCHER not in roles:
        address.check(DISPATCHER, DISPATCHER_ADDRESS.value, example=f"127.0.0.1:{PORT_OF_DISPATCHER}")
        if address.is_loopback(host) and not address.is_loopback(address.split(DISPATCHER_ADDRESS.value)[0]):
            raise errors.BadArgumentError(
                f"host={host}: expected the address at which the dispatcher's machine reaches this one"
            )


def run() -> None:
    """The console script `cifar-data-service`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
