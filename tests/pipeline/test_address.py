"""Addresses: what is one, and which of them other machines reach."""

import socket

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


def test_taken_address_is_refused_and_a_free_one_stays_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(errors.FailedError, match=f"^serve={taken}: cannot listen there"):
            address.check_free("serve", taken)
        address.check_listening("join", taken)
    for host in ("127.0.0.1", "localhost"):
        address.check_free("serve", f"{host}:{taken.split(':')[1]}")
    with pytest.raises(errors.FailedError, match=f"^join={taken}: nothing listens there"):
        address.check_listening("join", taken)
