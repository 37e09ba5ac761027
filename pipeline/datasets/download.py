"""Downloads one file, continues what an earlier call has begun, and fails within seconds when the host is dead or slow.

A worker thread makes the calls that may block forever (name look-up, connect, read). The main thread writes what it has
received, and stops when fewer than `floor_bytes` arrive within `patience_s`.
"""

import collections
import contextlib
import dataclasses
import hashlib
import pathlib
import queue
import re
import shutil
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from pipeline.common import errors, files, progress
from pipeline.common.json_values import TEXT, TEXT_OR_NULL, required

SOURCE = "source.json"  # where the bytes in a folder are from
_CHUNK_BYTES = 16 << 10  # small, so that the bytes of a slow host are counted as they arrive
_TICK_S = 0.05


class DownloadError(errors.FailedError):
    """The host did not deliver the file."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """The minimum rate: `floor_bytes` in every `patience_s` seconds."""

    patience_s: float = 5.0
    floor_bytes: int = 250_000


def fetch(url: str, folder: pathlib.Path, *, sha256: str, limits: Limits = Limits()) -> pathlib.Path:
    """Download `url` into a folder of its own, and return the file; proxies are those of the environment.

    What an earlier call has left in the folder is continued, if it is of this URL and the host still has the same file.
    The SHA-256 of the whole file is checked.

    Raises:
      DownloadError: the host is unreachable, too slow, refuses, or delivers another file. What was received is kept,
        unless it is of another file.
      OSError: the folder cannot be written.
    """
    host = urllib.parse.urlsplit(url).hostname
    part = _Part(folder, url)
    while True:
        was_begun = part.num_bytes > 0
        if not part.is_complete:
            try:
                was_begun = _receive(part, limits, host) > 0
            except BaseException as error:
                if not part.num_bytes:
                    part.remove()
                if isinstance(error, DownloadError):
                    raise DownloadError(f"{error}{kept(folder)}") from error
                raise
        with part.path.open("rb") as file:
            received = hashlib.file_digest(file, "sha256").hexdigest()
        if received == sha256:
            return part.path
        part.remove()
        if not was_begun:
            raise DownloadError(f"{host} sent another file, which is removed: sha256 {received}; expected {sha256}")


def kept(folder: pathlib.Path) -> str:
    """What an interrupted call says of a folder that the next one continues; empty for a folder without bytes."""
    num_bytes = sum(path.stat().st_size for path in folder.glob("*") if path.name != SOURCE)
    return f"; the same command continues the download ({num_bytes:,} bytes in {folder})" if num_bytes else ""


@dataclasses.dataclass(frozen=True)
class _Answer:
    """The head of a response: the place in the file of the first byte that follows, and what identifies the file."""

    start: int
    total_bytes: int | None
    validator: str | None


_SOURCE = required({}, url=TEXT, total_bytes={"type": ["integer", "null"]}, validator=TEXT_OR_NULL)


class _Part:
    """The part of a file that has been received."""

    def __init__(self, folder: pathlib.Path, url: str) -> None:
        self.url, self._folder = url, folder
        self.path = folder / (pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name or "file")
        self._source: dict[str, Any] = {}
        with contextlib.suppress(errors.DamagedError):  # the download begins again
            self._source = files.read_json(folder / SOURCE, str(folder / SOURCE), "delete it", schema=_SOURCE) or {}
        if self._source.get("url") != url or not self.path.is_file():
            self.remove()

    @property
    def num_bytes(self) -> int:
        return self.path.stat().st_size if self._source else 0

    @property
    def total_bytes(self) -> int | None:
        return self._source.get("total_bytes")

    @property
    def is_complete(self) -> bool:
        return self.num_bytes > 0 and self.num_bytes == self.total_bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers that ask for the rest, or for the whole file if the host has another one by now (RFC 9110)."""
        if not self.num_bytes:
            return {}
        validator = self._source.get("validator")
        return {"Range": f"bytes={self.num_bytes}-", **({"If-Range": validator} if validator else {})}

    def begin(self, answer: _Answer) -> None:
        """Note the source of the bytes that follow; they replace the part if they are the beginning of the file."""
        if not answer.start:
            files.make_folder(self._folder)
            self.path.write_bytes(b"")
            self._source = {"url": self.url, "total_bytes": answer.total_bytes, "validator": answer.validator}
            files.write_json(self._folder / SOURCE, self._source)

    def remove(self) -> None:
        """Remove the folder."""
        self._source = {}
        shutil.rmtree(self._folder, ignore_errors=True)


def _receive(part: _Part, limits: Limits, host: str | None) -> int:
    """Receive the rest of a file, and return the number of bytes that were there before."""
    worker = _Worker(part.url, part.headers, part.num_bytes, part.total_bytes)
    pace = Pace(limits, time.monotonic())
    start = 0
    worker.start()
    with contextlib.ExitStack() as stack:
        stack.callback(worker.cancel)
        task = stack.enter_context(progress.task(f"downloading {part.url}", unit="MB"))
        while (received := worker.receive()) is not None:
            if isinstance(received, _Answer):
                start = received.start
                part.begin(received)
                file = stack.enter_context(part.path.open("ab"))
                task.total = received.total_bytes and received.total_bytes / 1e6
            elif received:
                file.write(received)
            task.done = (start + worker.num_bytes) / 1e6
            slow = pace.too_slow(time.monotonic(), worker.num_bytes)
            if slow:
                problem = "is too slow" if worker.has_responded else "does not respond"
                raise DownloadError(f"{host} {problem}: {slow}")
    if worker.error is not None:
        raise DownloadError(f"{host}: {worker.error}")
    if part.total_bytes not in (None, part.num_bytes):
        raise DownloadError(f"{host} closed the connection early: {part.num_bytes:,} bytes of {part.total_bytes:,}")
    return start


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
    """Receives in a daemon thread, since a name look-up cannot be interrupted."""

    def __init__(self, url: str, headers: dict[str, str], start: int, total_bytes: int | None) -> None:
        super().__init__(name="download", daemon=True)
        self._url, self._headers, self._start, self._total_bytes = url, headers, start, total_bytes
        self._received: queue.SimpleQueue[_Answer | bytes | None] = queue.SimpleQueue()
        self._is_cancelled = False
        self.has_responded = False
        self.num_bytes = 0
        self.error: str | None = None

    def receive(self) -> _Answer | bytes | None:
        """The head of the response, then its bytes (b"" if none came for a while), then None."""
        try:
            return self._received.get(timeout=_TICK_S)
        except queue.Empty:
            return b""

    def cancel(self) -> None:
        """End after the present call."""
        self._is_cancelled = True

    def run(self) -> None:
        """Download; an exception becomes `error`."""
        try:
            self._download(self._headers)
        except Exception as error:
            self.error = _reason(error)
        finally:
            self._received.put(None)

    def _download(self, headers: dict[str, str]) -> None:
        import requests
        import urllib3.exceptions

        # Otherwise a .tar.gz that its host labels as gzip-encoded would be decompressed.
        wanted = {"Accept-Encoding": "identity", **headers}
        with requests.get(self._url, stream=True, headers=wanted, timeout=30) as response:
            self.has_responded = True
            status, codes = response.status_code, requests.codes
            is_rest = bool(headers) and status == codes.partial_content and self._fits(response.headers)
            if headers and status in (codes.partial_content, codes.requested_range_not_satisfiable) and not is_rest:
                self._download({})
                return
            if not is_rest and status != codes.ok:
                raise ConnectionError(f"HTTP {status} {response.reason} for {self._url}")
            self._received.put(_answer(response.headers, self._start if is_rest else 0))
            # `fetch` detects a closed connection by the number of bytes.
            with contextlib.suppress(urllib3.exceptions.ProtocolError):
                while not self._is_cancelled and (chunk := response.raw.read(_CHUNK_BYTES, decode_content=False)):
                    self.num_bytes += len(chunk)
                    self._received.put(chunk)

    def _fits(self, headers: Mapping[str, str]) -> bool:
        """Whether the bytes that follow are the rest of the file that was begun."""
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        totals = ("*", str(self._total_bytes)) if self._total_bytes else ("*", match and match[2])
        return bool(match and int(match[1]) == self._start and match[2] in totals)


def _answer(headers: Mapping[str, str], start: int) -> _Answer:
    length, tag = headers.get("Content-Length", ""), headers.get("ETag", "")
    validator = tag if tag.startswith('"') else headers.get("Last-Modified")  # a weak tag is of several files
    return _Answer(start, start + int(length) if length.isdigit() else None, validator)


def _reason(error: BaseException) -> str:
    """The message of the error that requests wraps, without object names."""
    inner = getattr(error.args[0], "reason", error) if error.args else error
    if original := getattr(inner, "original_error", None):  # of a proxy
        return f"{inner.args[0]}: {_reason(original)}"
    return str(inner).rpartition("): ")[2] or type(error).__name__
