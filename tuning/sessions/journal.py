"""The journal of a session, from which an oracle's state is restored."""

import json
import os
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

from pipeline.common import errors, files


class Journal:
    """The events of a session, in order, one JSON object a line."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._is_whole = False

    def events(self) -> list[dict[str, Any]]:
        """All events, without a last line that a kill has cut off."""
        if not self._path.exists():
            return []
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            return [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise errors.FailedError(f"{self._path}: damaged ({error}); choose another --session_dir") from error

    def append(self, event: Mapping[str, Any]) -> None:
        """Append an event durably; where that fails, the journal stays as it was."""
        with self._lock, open(self._path, "a+b") as file:
            if not self._is_whole:  # not in `events`: workers of a chief read while it writes
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                file.seek(0, os.SEEK_END)
                self._is_whole = True
                files.fsync(self._path.parent)  # where it may be new
            length = file.tell()
            try:
                file.write((json.dumps(event, allow_nan=False) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self._path, length)
                raise
