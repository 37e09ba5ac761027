"""The address of a session's chief, HOST:PORT, and the token that protects it: checks that need no TensorFlow."""

import pathlib
import re
import socket
import time

from pipeline import address as addresses
from pipeline.common import errors

WAIT_SECONDS = 60.0  # a chief listens once it has loaded TensorFlow and opened its session
CONNECT_SECONDS = 2.0
RETRY_SECONDS = 0.5
MIN_TOKEN_BYTES, MAX_TOKEN_BYTES = 16, 1024
MAKE_TOKEN = "make one by: (umask 077; openssl rand -hex 32 > {})"


def check(flag: str, address: str) -> None:
    """Raise errors.BadArgumentError unless the address of `serve` or `join` is HOST:PORT."""
    addresses.check(flag, address, example="127.0.0.1:8700")


def token(path: pathlib.Path) -> str:
    """The token in a file, which chief and workers share.

    Raises:
      errors.BadArgumentError: the file cannot be read, or holds no token.
    """
    try:
        with open(path, "rb") as file:
            secret = file.read(MAX_TOKEN_BYTES + 1).strip().decode("ascii", "replace")
    except OSError as error:
        raise errors.BadArgumentError(f"token_file={path}: {error.strerror}; {MAKE_TOKEN.format(path)}") from error
    if not re.fullmatch(rf"[!-~]{{{MIN_TOKEN_BYTES},{MAX_TOKEN_BYTES}}}", secret):
        expected = f"expected {MIN_TOKEN_BYTES} to {MAX_TOKEN_BYTES} visible characters of ASCII"
        raise errors.BadArgumentError(f"token_file={path}: {expected}; {MAKE_TOKEN.format(path)}")
    return secret


def check_protected(flag: str, address: str, *, has_token: bool, is_insecure: bool) -> None:
    """Raise errors.BadArgumentError where others could reach the address of `serve` or `join` without a token."""
    host, _ = addresses.split(address)
    if not (addresses.is_loopback(host) or has_token or is_insecure):
        raise errors.BadArgumentError(
            f"{flag}={address}: other machines may reach this address; set --token_file=FILE, or --insecure where "
            "nobody else can"
        )


def wait_for_chief(address: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until a chief listens; errors.FailedError after `seconds`."""
    print(f"waiting up to {seconds:g} s for the chief at {address}", flush=True)
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(addresses.split(address), timeout=CONNECT_SECONDS).close()
            return
        except OSError as error:
            reason = error.strerror or str(error)
        if time.monotonic() >= end:
            raise errors.FailedError(
                f"join={address}: no chief answers there after {seconds:g} s ({reason}); start one with "
                f"--serve={address}, or set the address of the one that runs"
            )
        time.sleep(min(RETRY_SECONDS, max(0.0, end - time.monotonic())))
