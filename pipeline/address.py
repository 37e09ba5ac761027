"""Addresses of services, HOST:PORT: their form, and whether other machines reach them."""

import ipaddress
import socket

from pipeline.common import errors

CONNECT_SECONDS = 10.0


def check(flag: str, address: str, example: str) -> None:
    """Raise errors.BadArgumentError unless the address that a flag names is HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        host.encode("idna")  # as sockets do: each label has 1 to 63 characters
        is_valid = bool(host) and port.isdecimal() and 0 < int(port) < 2**16
    except ValueError:
        is_valid = False
    if not is_valid:
        raise errors.BadArgumentError(f"{flag}={address}: expected HOST:PORT, such as {example}")


def split(address: str) -> tuple[str, int]:
    """The host, without the brackets of IPv6, and the port of HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach an address, or the name `localhost`."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_listening(flag: str, address: str) -> None:
    """Raise errors.FailedError unless something listens at the address that a flag names."""
    try:
        socket.create_connection(split(address), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise errors.FailedError(f"{flag}={address}: nothing listens there ({error.strerror or error})") from error


def check_free(flag: str, address: str) -> None:
    """Raise errors.FailedError unless a server of this machine can listen at the address that a flag names."""
    host, port = split(address)
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise cannot_listen(flag, address, error.strerror or str(error)) from error


def cannot_listen(flag: str, address: str, reason: str) -> errors.FailedError:
    """The error of a server whose address is taken or belongs to another machine."""
    return errors.FailedError(f"{flag}={address}: cannot listen there ({reason}); choose another port of this machine")
