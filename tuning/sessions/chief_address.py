"""The address of a session's chief, HOST:PORT: checks of it that need no TensorFlow."""

import socket
import time

from pipeline.common import errors

WAIT_SECONDS = 60.0  # a chief listens once it has loaded TensorFlow and opened its session
CONNECT_SECONDS = 2.0
RETRY_SECONDS = 0.5


def check(flag: str, address: str) -> None:
    """Raise errors.BadArgumentError unless the address of `serve` or `join` is HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        host.encode("idna")  # as sockets do: each label has 1 to 63 characters
        is_valid = bool(host) and port.isdecimal() and 0 < int(port) < 2**16
    except ValueError:
        is_valid = False
    if not is_valid:
        raise errors.BadArgumentError(f"{flag}={address}: expected HOST:PORT, such as 127.0.0.1:8700")


def check_free(address: str) -> None:
    """Raise errors.FailedError unless a chief can listen at an address of this machine."""
    host, port = _split(address)
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise cannot_listen(address, error.strerror or str(error)) from error


def cannot_listen(address: str, reason: str) -> errors.FailedError:
    """The error of a chief whose address is taken or belongs to another machine."""
    return errors.FailedError(f"serve={address}: cannot listen there ({reason}); choose another port of this machine")


def wait_for_chief(address: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until a chief listens; errors.FailedError after `seconds`."""
    print(f"waiting up to {seconds:g} s for the chief at {address}", flush=True)
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(_split(address), timeout=CONNECT_SECONDS).close()
            return
        except OSError as error:
            reason = error.strerror or str(error)
        if time.monotonic() >= end:
            raise errors.FailedError(
                f"join={address}: no chief answers there after {seconds:g} s ({reason}); start one with "
                f"--serve={address}, or set the address of the one that runs"
            )
        time.sleep(min(RETRY_SECONDS, max(0.0, end - time.monotonic())))


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
