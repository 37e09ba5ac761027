"""The address of a chief: what is refused, and how long a worker waits."""

import re
import socket

import pytest

from pipeline.common import errors
from tuning.sessions import chief_address

IMPOSSIBLE_HOSTS = ("a..b", "a" * 64, "h\udcff")


@pytest.mark.parametrize(
    "address",
    ["8700", ":8700", "host", "host:", "host:0", "host:65536", "host:x", *(f"{host}:1" for host in IMPOSSIBLE_HOSTS)],
)
def test_other_than_host_and_port_is_refused(address):
    with pytest.raises(errors.BadArgumentError, match=f"^join={address}: expected HOST:PORT"):
        chief_address.check("join", address)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_worker_names_the_chief_that_never_answers(capsys):
    address = f"127.0.0.1:{_free_port()}"
    with pytest.raises(errors.FailedError, match=f"^join={address}: no chief answers"):
        chief_address.wait_for_chief(address, seconds=0.0)
    assert address in capsys.readouterr().out


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "[::]", "box"])
def test_address_that_others_reach_needs_a_token(host):
    def check(host: str, *, has_token: bool = False, is_insecure: bool = False) -> None:
        address = f"{host}:8700"
        chief_address.check_protected("serve", address, has_token=has_token, is_insecure=is_insecure)

    with pytest.raises(errors.BadArgumentError, match=rf"^serve={re.escape(host)}:8700: .*--token_file.*--insecure"):
        check(host)
    check(host, has_token=True)
    check(host, is_insecure=True)
    for own in ("127.0.0.1", "[::1]", "localhost"):
        check(own)


def test_token_is_the_line_of_its_file(tmp_path):
    (tmp_path / "token").write_text(f"{'s' * 64}\n")
    assert chief_address.token(tmp_path / "token") == "s" * 64


@pytest.mark.parametrize("content", [b"", b"short", b"two words of a secret", b"\xff" * 32, b"x" * 2000])
def test_file_without_a_token_is_refused(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(errors.BadArgumentError, match=r"^token_file=.*token: expected 16 to 1024 .*openssl"):
        chief_address.token(tmp_path / "token")


def test_missing_token_is_refused(tmp_path):
    with pytest.raises(errors.BadArgumentError, match=r"^token_file=.*token: No such file.*openssl"):
        chief_address.token(tmp_path / "token")


def test_worker_goes_on_once_the_chief_listens(monkeypatch):
    port = _free_port()
    servers: list[socket.socket] = []

    def listen(seconds: float) -> None:
        servers.append(socket.create_server(("127.0.0.1", port)))

    monkeypatch.setattr(chief_address.time, "sleep", listen)
    chief_address.wait_for_chief(f"127.0.0.1:{port}")
    assert len(servers) == 1
    servers[0].close()
