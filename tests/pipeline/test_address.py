"""Addresses: what is one, and which of them other machines reach."""

import pytest

from pipeline import address
from pipeline.common import errors


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "box", "localhost.example", "")),
    ],
)
def test_loopback_is_known(host, expected):
    assert address.is_loopback(host) == expected


def test_hosts_are_split_from_ports():
    assert address.split("10.0.0.1:80") == ("10.0.0.1", 80)
    assert address.split("[::1]:8700") == ("::1", 8700)


def test_other_than_host_and_port_is_refused():
    with pytest.raises(errors.BadArgumentError, match=r"^join=box: expected HOST:PORT, such as h:1$"):
        address.check("join", "box", example="h:1")
    address.check("join", "box:1", example="h:1")
