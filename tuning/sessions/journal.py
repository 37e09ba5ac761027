"""The journal of a session, from which an oracle's state is restored."""

import contextlib
import itertools
import json
import os
import pathlib
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.common import files, json_values
from pipeline.common.json_values import INTEGER, NUMBER, NUMBER_OR_NULL, OBJECT, TEXT, array, mapping, required

_EVENT = required({"event": TEXT, "spent_s": NUMBER}, line=INTEGER)
_EVENTS = {
    "begin": required({"trial": TEXT, "worker": TEXT, "values": OBJECT}),
    "end": required(
        {"trial": TEXT, "status": {"enum": ["COMPLETED", "FAILED"]}, "objective": NUMBER_OR_NULL},
        objectives=mapping(NUMBER),
    ),
    "requeue": required({"workers": array(TEXT)}),
    "forget": required({"trial": TEXT}),
    "time": OBJECT,
}


REMEDY = "restore it from a copy, or choose another --session_dir"


class Journal:
    """The events of a session, in order, one JSON object a line."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._is_whole = False
        self._num_checked = 0  # lines whose content was checked
        self._last_number = 0
        self.where = f"session_dir={path.parent}: {path.name}"

    def events(self) -> list[dict[str, Any]]:
        """All events, without a last line that a kill has cut off; errors.DamagedError where another line is."""
        with files.reading(self.where, REMEDY):
            try:
                data = self._path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return []
            lines = data[: data.rfind(b"\n") + 1].splitlines()
            events = [self._event(number, line) for number, line in enumerate(lines, start=1)]
            for number, (before, one) in enumerate(itertools.pairwise([0, *_numbers(events)]), start=1):
                if one <= before:
                    raise ValueError(f"line {number}: has the number {one}; expected one above {before}")
            return events

    def _event(self, number: int, line: bytes) -> dict[str, Any]:
        if number <= self._num_checked:  # the journal only grows
            return json.loads(line)
        try:
            event = json_values.parse(line, _EVENT)
            if event["event"] not in _EVENTS:
                raise ValueError(f"event {event['event']!r} is unknown here, of a newer version or damaged")
            json_values.parse(line, _EVENTS[event["event"]])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        self._num_checked = number
        return event

    def num_missing(self) -> int:
        """The number of lines that are missing between the others, by the numbers in them."""
        numbers = _numbers(self.events())
        return max(numbers, default=0) - len(numbers)

    def append(self, event: Mapping[str, Any]) -> None:
        """Append an event durably; where that fails, the journal stays as it was. OSError names it."""
        with self._lock:
            if not self._is_whole:  # not in `events`: workers of a chief read while it writes
                self._make_whole()
            line = (json.dumps({**event, "line": self._last_number + 1}, allow_nan=False) + "\n").encode()
            length = self._path.stat().st_size
            try:
                with self._path.open("ab") as file:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
                self._last_number += 1
            except OSError as error:
                error.filename = str(self._path)
                with contextlib.suppress(OSError):  # the first error is the one to report
                    os.truncate(self._path, length)  # once the file is closed, which writes what `flush` could not
                raise

    def _make_whole(self) -> None:
        """Create the file where it is missing; remove a last line that a kill has cut off."""
        self._path.touch()
        os.truncate(self._path, self._path.read_bytes().rfind(b"\n") + 1)
        files.fsync(self._path.parent)
        self._last_number = max(_numbers(self.events()), default=0)
        self._is_whole = True


def _numbers(events: Iterable[Mapping[str, Any]]) -> list[int]:
    """The numbers of the lines, which ascend."""
    numbers: list[int] = []
    for event in events:
        following = numbers[-1] + 1 if numbers else 1
        numbers.append(event.get("line", following))  # earlier versions wrote none
    return numbers
