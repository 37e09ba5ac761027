"""Downloads one file; fails within seconds when the host is dead, slow or stalled.

A worker thread makes the calls that may block forever (name look-up, connect, read). The main thread watches the number
of bytes received and stops when fewer than `floor_bytes` arrive within `patience_s`.
"""

import collections
import contextlib
import dataclasses
import hashlib
import pathlib
import threading
import time
import urllib.parse

from pipeline.common import errors, progress

OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
_CHUNK_BYTES = 16 << 10  # small, so that the bytes of a slow host are counted as they arrive
_TICK_S = 0.05


class DownloadError(errors.FailedError):
    """The host did not deliver the file."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """The minimum rate: `floor_bytes` in every `patience_s` seconds."""

    patience_s: float = 5.0
    floor_bytes: int = 250_000


def fetch(url: str, target: pathlib.Path, *, sha256: str, limits: Limits = Limits()) -> None:
    """Download `url` to `target` and check its SHA-256; proxies are those of the environment.

    A host that is unreachable, too slow, refuses, or delivers another file raises DownloadError.
    """
    host = urllib.parse.urlsplit(url).hostname
    worker = _Worker(url, target)
    pace = Pace(limits, time.monotonic())
    worker.start()
    with progress.task(f"downloading {url}", unit="MB") as task:
        while not worker.done.wait(_TICK_S):
            task.done = worker.num_bytes / 1e6
            task.total = worker.total_bytes and worker.total_bytes / 1e6
            slow = pace.too_slow(time.monotonic(), worker.num_bytes)
            if slow:
                worker.is_cancelled = True
                problem = "is too slow" if worker.has_responded else "does not respond"
                raise DownloadError(f"{host} {problem}: {slow}")
    if worker.error is not None:
        raise DownloadError(f"{host}: {worker.error}")
    if worker.total_bytes not in (None, worker.num_bytes):
        raise DownloadError(f"{host} closed the connection early: {worker.num_bytes:,} bytes of {worker.total_bytes:,}")
    if worker.sha256.hexdigest() != sha256:
        raise DownloadError(f"{host} sent another file: sha256 {worker.sha256.hexdigest()}; expected {sha256}")


class Pace:
    """The download rate within a sliding window of `patience_s` seconds."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._samples = collections.deque([(now, 0)])

    def too_slow(self, now: float, num_bytes: int) -> str:
        """A description of a rate that is too low, else ""; `num_bytes` were received until `now` (seconds)."""
        self._samples.append((now, num_bytes))
        while len(self._samples) > 2 and now - self._samples[1][0] >= self._limits.patience_s:
            self._samples.popleft()
        start, before = self._samples[0]
        if now - start < self._limits.patience_s or num_bytes - before >= self._limits.floor_bytes:
            return ""
        return f"{num_bytes - before:,} bytes in {now - start:.1f} s; expected at least {self._limits.floor_bytes:,}"


class _Worker(threading.Thread):
    """Downloads in a daemon thread, since a name look-up cannot be interrupted."""

    def __init__(self, url: str, target: pathlib.Path) -> None:
        super().__init__(name="download", daemon=True)
        self._url, self._target = url, target
        self.done = threading.Event()
        self.is_cancelled = False
        self.has_responded = False
        self.num_bytes = 0
        self.total_bytes: int | None = None
        self.sha256 = hashlib.sha256()
        self.error: str | None = None

    def run(self) -> None:
        """Download; an exception becomes `error`."""
        try:
            self._download()
        except Exception as error:
            self.error = _reason(error)
        finally:
            self.done.set()

    def _download(self) -> None:
        import requests
        import urllib3.exceptions

        # Otherwise a .tar.gz that its host labels as gzip-encoded would be decompressed.
        headers = {"Accept-Encoding": "identity"}
        with requests.get(self._url, stream=True, headers=headers, timeout=30) as response:
            self.has_responded = True
            if response.status_code != requests.codes.ok:
                raise ConnectionError(f"HTTP {response.status_code} {response.reason} for {self._url}")
            length = response.headers.get("Content-Length", "")
            self.total_bytes = int(length) if length.isdigit() else None
            # `fetch` detects a closed connection by the number of bytes.
            with self._target.open("wb") as file, contextlib.suppress(urllib3.exceptions.ProtocolError):
                while not self.is_cancelled and (chunk := response.raw.read(_CHUNK_BYTES, decode_content=False)):
                    file.write(chunk)
                    self.sha256.update(chunk)
                    self.num_bytes += len(chunk)


def _reason(error: BaseException) -> str:
    """The message of the error that requests wraps, without object names."""
    inner = getattr(error.args[0], "reason", error) if error.args else error
    return str(inner).rpartition("): ")[2] or type(error).__name__
