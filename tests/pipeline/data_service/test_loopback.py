"""A port that is closed to others is reached at loopback addresses alone."""

import socket

import psutil
import pytest

from pipeline.data_service import loopback


def other_address(family: int) -> str:
    """An address of this machine that is not a loopback one."""
    found = [one.address for some in psutil.net_if_addrs().values() for one in some if one.family == family]
    others = [address for address in found if not address.startswith(("127.", "::1", "fe80"))]
    if not others:
        pytest.skip("this machine has no other address")
    return others[0]


@pytest.mark.parametrize(
    ("family", "everywhere", "own"), [(socket.AF_INET, "0.0.0.0", "127.0.0.1"), (socket.AF_INET6, "::", "::1")]
)
def test_only_loopback_addresses_stay_open(family, everywhere, own):
    with socket.create_server((everywhere, 0), family=family) as listening:
        port = listening.getsockname()[1]
        hosts = (own, other_address(family))
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
            socket.create_connection((other_address(socket.AF_INET), port), timeout=1)
