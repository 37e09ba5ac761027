"""A port that is closed to others is reached at loopback addresses alone."""

import os
import socket

import pytest

from pipeline.common.process import loopback
from tests.addresses import other_than_loopback


@pytest.mark.parametrize(
    ("family", "everywhere", "own"), [(socket.AF_INET, "0.0.0.0", "127.0.0.1"), (socket.AF_INET6, "::", "::1")]
)
def test_only_loopback_addresses_stay_open(family, everywhere, own):
    with socket.create_server((everywhere, 0), family=family) as listening:
        port = listening.getsockname()[1]
        hosts = (own, other_than_loopback(family))
        for host in hosts:
            socket.create_connection((host, port), timeout=600).close()
        loopback.close_to_others()
        socket.create_connection((own, port), timeout=600).close()
        with pytest.raises(TimeoutError):
            socket.create_connection((hosts[1], port), timeout=1)


def test_ipv4_at_a_socket_of_ipv6_is_filtered_too():
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listening:
        port = listening.getsockname()[1]
        loopback.close_to_others()
        socket.create_connection(("127.0.0.1", port), timeout=600).close()
        with pytest.raises(TimeoutError):
            socket.create_connection((other_than_loopback(socket.AF_INET), port), timeout=1)


def test_no_file_is_left_open(tmp_path):
    """A copy of a lock file would keep the lock."""
    with (tmp_path / ".lock").open("w"):
        before = os.listdir("/proc/self/fd")
        loopback.close_to_others()
        assert not set(os.listdir("/proc/self/fd")) - set(before)
