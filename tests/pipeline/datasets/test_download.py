import contextlib
import hashlib
import http.server
import socket
import threading

import pytest

from pipeline.common import errors
from pipeline.datasets import download
from pipeline.datasets.download import DownloadError, Limits, Pace

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Limits(patience_s=0.6, floor_bytes=100_000)
PATIENT = Limits(patience_s=600.0)


class Host(http.server.BaseHTTPRequestHandler):
    """A host with one good file; each path is another fault."""

    def do_GET(self):
        self.server.requests.append(self.headers)
        if self.path.startswith("/ranges"):
            self.send_rest()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/labelled":
            self.send_header("Content-Encoding", "x-gzip")
        if self.path != "/unsized":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        with contextlib.suppress(OSError):  # half of the tests make the client give up
            self.send_body()

    def send_rest(self):
        """As a host with ranges and versions sends it; the first answer breaks off after half of the file."""
        content, tag = self.server.content, f'"{self.server.version}"'
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        if self.headers.get("If-Range", tag) != tag or self.path == "/ranges_ignored":
            start = 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            place = start + 1 if self.path == "/ranges_misplaced" else start
            self.send_header("Content-Range", f"bytes {place}-{len(content) - 1}/{len(content)}")
        if self.path != "/ranges_without_tag":
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content[start : len(content) // 2 if len(self.server.requests) == 1 else None])

    def send_body(self):
        if self.path == "/early":
            self.wfile.write(CONTENT[:100_000])
        elif self.path == "/other":
            self.wfile.write(CONTENT[::-1])
        elif self.path == "/stall":
            self.wfile.write(CONTENT[:500_000])
            self.server.closing.wait()
        elif self.path == "/mute":
            self.server.closing.wait()
        elif self.path == "/drip":
            for index in range(200):
                self.wfile.write(CONTENT[index * 1000 : (index + 1) * 1000])
                if self.server.closing.wait(0.05):
                    break
        else:
            self.wfile.write(CONTENT)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.closing = threading.Event()
    server.content, server.version, server.requests = CONTENT, "1", []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url, folder, limits=PATIENT, content=CONTENT):
    """The content of the downloaded file."""
    return download.fetch(url, folder, sha256=hashlib.sha256(content).hexdigest(), limits=limits).read_bytes()


@pytest.mark.parametrize("path", ["/good", "/unsized", "/redirect", "/labelled"])
def test_a_good_file_arrives_whole(host, path, tmp_path):
    assert fetch(host.url + path, tmp_path / "folder") == CONTENT


@pytest.mark.parametrize(
    ("path", "limits", "message"),
    [
        ("/missing", PATIENT, "127.0.0.1: HTTP 404 Not Found for http"),
        ("/early", PATIENT, r"127.0.0.1 closed the connection early: [0-9,]+ bytes of 1,048,576"),
        ("/other", PATIENT, "127.0.0.1 sent another file, which is removed: sha256 .*; expected " + SHA256),
        ("/stall", QUICK, r"127.0.0.1 is too slow: .* bytes in .* s; expected at least 100,000"),
        ("/mute", QUICK, r"127.0.0.1 is too slow: 0 bytes in .* s"),
        ("/drip", QUICK, r"127.0.0.1 is too slow: [0-9,]+ bytes in .* s"),
    ],
)
def test_a_bad_host_is_named_in_one_line(host, path, limits, message, tmp_path):
    with pytest.raises(DownloadError, match=message) as caught:
        fetch(host.url + path, tmp_path / "folder", limits)
    assert (tmp_path / "folder").exists() == (path in ("/early", "/stall"))
    assert "\n" not in str(caught.value)
    assert "object at 0x" not in str(caught.value)


def test_interruption_before_the_first_byte_leaves_nothing(host, tmp_path, monkeypatch):
    def interrupt(*_arguments):
        if (tmp_path / "folder").exists():  # the host has answered
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(Pace, "too_slow", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(host.url + "/mute", tmp_path / "folder")
    assert not list(tmp_path.iterdir())


def begin(host, path, folder):
    """Receive half of a file."""
    with pytest.raises(DownloadError, match=r"closed the connection early: .*\(524,288 bytes in .*folder\)"):
        fetch(host.url + path, folder)


@pytest.mark.parametrize("path", ["/ranges", "/ranges_without_tag"])
def test_a_download_is_continued(host, path, tmp_path):
    begin(host, path, tmp_path / "folder")
    assert fetch(host.url + path, tmp_path / "folder") == CONTENT
    assert [headers.get("Range") for headers in host.requests] == [None, "bytes=524288-"]
    assert fetch(host.url + path, tmp_path / "folder") == CONTENT  # preparing it was interrupted
    assert len(host.requests) == 2


@pytest.mark.parametrize(("path", "num_requests"), [("/ranges_ignored", 2), ("/ranges_misplaced", 3)])
def test_a_host_that_does_not_continue_sends_all_anew(host, path, num_requests, tmp_path):
    begin(host, path, tmp_path / "folder")
    assert fetch(host.url + path, tmp_path / "folder") == CONTENT
    assert len(host.requests) == num_requests


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[:1000]])
def test_a_file_that_has_changed_is_downloaded_anew(host, content, tmp_path):
    begin(host, "/ranges", tmp_path / "folder")
    host.content, host.version = content, "2"
    assert fetch(host.url + "/ranges", tmp_path / "folder", content=content) == content


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[:1000]])  # 1,000 bytes: HTTP 416
def test_a_change_that_the_host_does_not_tell_is_seen_by_the_checksum(host, content, tmp_path):
    begin(host, "/ranges_without_tag", tmp_path / "folder")
    host.content = content
    assert fetch(host.url + "/ranges_without_tag", tmp_path / "folder", content=content) == content
    assert host.requests[-1].get("Range") is None


def test_a_part_of_another_url_or_of_no_known_source_is_removed(host, tmp_path):
    begin(host, "/ranges", tmp_path / "folder")
    assert fetch(host.url + "/good", tmp_path / "folder") == CONTENT
    (tmp_path / "folder" / download.SOURCE).write_text("{")
    assert fetch(host.url + "/good", tmp_path / "folder") == CONTENT
    assert {headers.get("Range") for headers in host.requests} == {None}


def test_an_interrupted_download_keeps_what_it_has(host, tmp_path, monkeypatch):
    file = tmp_path / "folder" / "stall"

    def interrupt(pace, now, num_bytes):
        if file.exists() and file.stat().st_size >= 400_000:
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(Pace, "too_slow", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(host.url + "/stall", tmp_path / "folder")
    assert "bytes in" in download.kept(tmp_path / "folder")


@pytest.fixture
def dead_url():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/x"


def test_a_closed_port_is_known_at_once(dead_url, tmp_path):
    with pytest.raises(DownloadError, match=r"127.0.0.1: .*refused"):
        fetch(dead_url, tmp_path / "folder")


def test_a_host_that_never_answers_is_given_up(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(DownloadError, match=r"127.0.0.1 does not respond: 0 bytes in .* s"),
    ):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/x", tmp_path / "folder", QUICK)


def test_a_name_lookup_that_hangs_is_given_up(monkeypatch, tmp_path):
    released = threading.Event()

    def hang(*_arguments, **_keywords):
        released.wait(600)
        raise socket.gaierror("released")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(DownloadError, match=r"example.invalid does not respond"):
        fetch("http://example.invalid/x", tmp_path / "folder", QUICK)
    released.set()


def test_an_unknown_name_is_named(monkeypatch, tmp_path):
    def unknown(*_arguments, **_keywords):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DownloadError, match=r"example.invalid: Failed to resolve 'example.invalid' .*not known"):
        fetch("http://example.invalid/x", tmp_path / "folder")


def set_proxy(monkeypatch, url):
    for name, value in (("no_proxy", ""), ("http_proxy", url)):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)


def test_a_proxy_of_the_environment_is_used(host, monkeypatch, tmp_path):
    set_proxy(monkeypatch, host.url)
    # A proxy gets the whole URL; the test host has no such path and sends its file.
    assert fetch("http://example.invalid/good", tmp_path / "folder") == CONTENT


def test_a_dead_proxy_is_named(dead_url, monkeypatch, tmp_path):
    set_proxy(monkeypatch, dead_url)
    with pytest.raises(DownloadError, match=r"^example.invalid: Unable to connect to proxy: [^()]* refused$"):
        fetch("http://example.invalid/x", tmp_path / "folder")


def test_a_failed_download_is_a_failure_and_no_bad_argument():
    assert issubclass(DownloadError, errors.FailedError)
    assert not issubclass(DownloadError, errors.BadArgumentError)


def test_the_default_patience_is_five_seconds():
    assert Limits() == Limits(patience_s=5.0, floor_bytes=250_000)


def paced(samples, limits=None):
    """The time at which `Pace` rejects samples of (seconds, bytes received)."""
    pace = Pace(limits or Limits(), now=100.0)
    for seconds, num_bytes in samples:
        if pace.too_slow(100.0 + seconds, num_bytes):
            return seconds
    return None


def test_pace_gives_a_dead_host_five_seconds():
    assert paced((tick / 10, 0) for tick in range(200)) == 5.0


def test_pace_lets_a_steady_host_go_on():
    assert paced((tick / 10, tick * 6_000) for tick in range(2_000)) is None


def test_pace_gives_up_a_steady_host_that_is_too_slow():
    assert paced((tick / 10, tick * 4_000) for tick in range(2_000)) == 5.0


@pytest.mark.parametrize("stalled_at", [2.0, 3.7, 12.3])
def test_pace_sees_a_stall_within_five_seconds_wherever_it_begins(stalled_at):
    samples = ((tick / 10, int(min(tick / 10, stalled_at) * 10_000_000)) for tick in range(400))
    assert paced(samples) == pytest.approx(stalled_at + 5, abs=0.11)


def test_pace_survives_a_process_that_was_asleep():
    # Few looks at the clock: the span is longer than its patience and still brought enough.
    assert paced([(0, 0), (60, 5_000_000), (61, 5_100_000)]) is None
