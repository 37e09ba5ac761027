"""The address that is listened on, and which requests to it are answered."""

import errno
import socket

from pipeline import address as addresses
from pipeline.common import errors

MAX_PORT = 65535
BACKLOG = 128  # connections that wait to be accepted
OPEN = "anyone who reaches this address may use the server; there is neither encryption nor authentication"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address of this machine; port 0 is any free one.

    Raises:
      errors.BadArgumentError: `host` is no name or address of this machine.
      errors.FailedError: nothing can listen there; for example another program does.
    """
    wrong_host = f"host={host}: expected an address of this machine, such as 127.0.0.1"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise errors.BadArgumentError(wrong_host) from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a port stays taken for a minute
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENETUNREACH):
            raise errors.BadArgumentError(wrong_host) from error
        reason = f"cannot listen on {host}:{port} ({error.strerror})"
        raise errors.FailedError(f"port={port}: {reason}; choose another --port") from error
    return listening


def url(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def is_allowed(host: str, origin: str, *, is_loopback: bool) -> bool:
    """Whether a request with these headers `Host` and `Origin` ("" for none) is answered.

    On loopback, the host is an address or a name of this machine: a page whose name leads here (DNS rebinding) is
    another one. A page of another origin is not answered either. Behind a proxy with encryption, the scheme is https.
    """
    if is_loopback and not addresses.is_loopback(_name(host)):
        return False
    return origin in ("", f"http://{host}", f"https://{host}")


def _name(host: str) -> str:
    """A `Host` header without its port, and an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] or host
