"""The address, and the requests that are answered; no server library is needed."""

import socket

import pytest

from models.serving import address
from pipeline.common import errors


@pytest.mark.parametrize(
    ("host", "origin", "is_right"),
    [
        ("127.0.0.1:8000", "", True),
        ("localhost:8000", "http://localhost:8000", True),
        ("localhost", "https://localhost", True),
        ("LOCALHOST", "", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("127.9.9.9", "", True),
        ("rebound.example:8000", "", False),
        ("127.0.0.1.example", "", False),
        ("localhost.example:8000", "", False),
        ("", "", False),
        ("192.168.1.5:8000", "", False),
        ("127.0.0.1:8000", "http://evil.example", False),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", False),
        ("127.0.0.1:8000", "null", False),
    ],
)
def test_other_hosts_and_origins_are_refused_on_loopback(host, origin, is_right):
    assert address.is_allowed(host, origin, is_loopback=True) == is_right


def test_any_host_is_right_where_others_may_come_but_no_other_origin():
    assert address.is_allowed("box.example:8000", "", is_loopback=False)
    assert address.is_allowed("box.example:8000", "http://box.example:8000", is_loopback=False)
    assert address.is_allowed("box.example", "https://box.example", is_loopback=False)
    assert not address.is_allowed("box.example", "https://evil.example", is_loopback=False)
    assert not address.is_allowed("box.example:8000", "http://evil.example", is_loopback=False)


def test_taken_port_is_one_line():
    with address.listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert address.url(listening) == f"http://127.0.0.1:{port}/"
        with pytest.raises(errors.FailedError, match=rf"^port={port}: .*127\.0\.0\.1:{port}.*in use.*--port"):
            address.listen("127.0.0.1", port)
    address.listen("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["no such host", "x" * 300, "\udcff", "", "203.0.113.1", "1"])
def test_no_address_of_this_machine_is_an_error(host):
    with pytest.raises(errors.BadArgumentError, match=r"^host="):
        address.listen(host, 0)


def test_url_of_ipv6_has_brackets():
    with socket.socket(socket.AF_INET6) as listening:
        listening.bind(("::1", 0))
        assert address.url(listening) == f"http://[::1]:{listening.getsockname()[1]}/"
