"""Addresses of this machine."""

import psutil
import pytest


def other_than_loopback(family: int) -> str:
    """An address of this machine that other machines reach."""
    found = [one.address for some in psutil.net_if_addrs().values() for one in some if one.family == family]
    others = [address for address in found if not address.startswith(("127.", "::1", "fe80"))]
    if not others:
        pytest.skip("this machine has no other address")
    return others[0]
