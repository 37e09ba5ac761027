"""Addresses of services, HOST:PORT: what is one, and who reaches it."""

import ipaddress

from pipeline.common import errors


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
