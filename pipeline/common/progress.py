"""Shows the progress of slow work on stderr: a bar on a terminal, otherwise a line from time to time.

    with progress.task("evaluating on test", 10_000, "images") as task:
        for batch in batches:
            ...
            task.advance(len(batch))

Tasks are silent unless a program calls `shown`, as `app.run` does: importing a package shows nothing.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TextIO, TypeVar

from pipeline.common import durations

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BAR_AFTER_SECONDS = 1.0  # on a terminal; shorter tasks show nothing
LINE_AFTER_SECONDS = 4.0  # elsewhere, of any task since the program began or since the latest line of all tasks
LINE_AFTER_OWN_SECONDS = 0.5  # since the task began: what is shorter does not stand for the wait
LINE_SECONDS, MAX_LINE_SECONDS = 10.0, 60.0  # between two lines: the longer a task takes, the fewer they are
TICK_SECONDS = 0.25
T = TypeVar("T")

_is_shown = False
_under_way: list["Task"] = []  # the innermost last
_latest_line = 0.0  # the time of the latest line of a log, or when the program began


class Task:
    """A piece of work that began at `began` (seconds): `done` of `total` units are finished; None is unknown."""

    def __init__(self, label: str, total: float | None = None, unit: str = "", began: float = 0.0) -> None:
        self.label, self.total, self.unit, self.began = label, total, unit, began
        self.done = 0.0
        self.on_advance: Callable[[], None] = lambda: None
        self.display = contextlib.ExitStack()  # what shows it
        self._first: tuple[float, float] | None = None  # the time when units were first seen to be done, and how many

    def advance(self, count: float = 1) -> None:
        """Count further finished units. It writes nothing itself unless the task is not `in_background`."""
        self.done += count
        self.on_advance()

    def observe(self, now: float) -> None:
        """Note when the first units are done: what came before, such as compiling, is not the speed of the others."""
        if self._first is None and self.done:
            self._first = now, self.done

    def state(self, now: float) -> str:
        """`1,500 of 10,000 images, 12 s, about 68 s left`, as far as they are known."""
        parts = (self._counts(), durations.in_words(now - self.began), self._left(now))
        return ", ".join(filter(None, parts))

    def _counts(self) -> str:
        """`1,500 of 10,000 images`; empty where no total is known and nothing is done."""
        if self.total is None:
            return f"{int(self.done):,} {self.unit}".rstrip() if self.done else ""
        return f"{int(min(self.done, self.total)):,} of {self.total:,.0f} {self.unit}".rstrip()

    def _left(self, now: float) -> str:
        """`about 12 s left`, at the speed since the first units; empty where that is unknown."""
        began, first_done = self._first or (now, self.done)
        if self.total is None or not first_done < self.done < self.total:
            return ""
        return f"about {durations.in_words((now - began) * (self.total - self.done) / (self.done - first_done))} left"


class Lines:
    """Shows a task as lines of a log, none during an inner task.

    The first line comes `delay` seconds after the latest line of any task: many short tasks are a long wait too.
    """

    def __init__(self, task: Task, stream: TextIO | None = None, delay: float = LINE_AFTER_SECONDS) -> None:
        self._task, self._stream = task, stream
        self._next = max(task.began + LINE_AFTER_OWN_SECONDS, _latest_line + delay) if delay else task.began

    def tick(self, now: float) -> None:
        """Print a line if one is due at `now` (seconds)."""
        global _latest_line
        self._task.observe(now)
        if now < self._next or self._task is not _under_way[-1]:
            return
        _latest_line, elapsed = now, now - self._task.began
        self._next = now + min(max(LINE_SECONDS, elapsed), MAX_LINE_SECONDS)
        print(f"{self._task.label}: {self._task.state(now)}", file=self._stream or sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to remove."""


class Bar:
    """Shows a task as a line of a terminal that renews itself, from `delay` seconds after its beginning to its end."""

    def __init__(self, task: Task, stream: TextIO | None = None, delay: float = BAR_AFTER_SECONDS) -> None:
        self._task, self._stream, self._delay = task, stream, delay
        self._id: TaskID | None = None

    def tick(self, now: float) -> None:
        """Draw the line at `now` (seconds) if it is due."""
        self._task.observe(now)
        if self._id is None and now - self._task.began < self._delay:
            return
        with _display.lock:
            if self._id is None:
                self._id = _display.add(self._task, self._stream)
            _display.update(self._id, self._task, now)

    def close(self) -> None:
        """Remove the line."""
        with _display.lock:
            if self._id is not None:
                _display.remove(self._id)


class _Display:
    """The bars of all tasks of the process that are under way: rich draws one display at a time."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._bars: Progress | None = None
        self._count = 0

    def add(self, task: Task, stream: TextIO | None) -> "TaskID":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        if self._bars is None:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[state]}", markup=False),
                console=Console(file=stream, stderr=stream is None),
                transient=True,
                auto_refresh=False,
                redirect_stdout=is_terminal(sys.stdout),  # else it is data
                redirect_stderr=stream is None,  # else somebody else has redirected it
            )
            self._bars.start()
        self._count += 1
        return self._bars.add_task(task.label, total=task.total, state="")

    def update(self, task_id: "TaskID", task: Task, now: float) -> None:
        assert self._bars is not None
        self._bars.update(task_id, completed=task.done, total=task.total, refresh=True, state=task.state(now))

    def remove(self, task_id: "TaskID") -> None:
        assert self._bars is not None
        self._count -= 1
        self._bars.remove_task(task_id)
        if not self._count:
            self._bars.stop()
            self._bars = None


_display = _Display()


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal; what stands for stdout in notebooks and tests may lack `isatty`."""
    return bool(getattr(stream, "isatty", bool)())


def restore_cursor() -> None:
    """Show the terminal's cursor, which a killed process that drew a bar has left hidden."""
    if sys.stderr is not None and is_terminal(sys.stderr):
        print(end="\x1b[?25h", file=sys.stderr, flush=True)


def current() -> str:
    """The label of the innermost task that is shown; empty where there is none."""
    return _under_way[-1].label if _under_way else ""


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """A context in which the tasks of this process are shown."""
    global _is_shown, _latest_line
    before, _is_shown, _latest_line = _is_shown, True, time.monotonic()
    already = list(_under_way)
    try:
        yield
    finally:
        _is_shown = before
        for work in _under_way[::-1]:  # of generators that an error has left open until they are collected
            if work not in already:
                work.display.close()


@contextlib.contextmanager
def task(
    label: str,
    total: float | None = None,
    unit: str = "",
    *,
    stream: TextIO | None = None,
    in_background: bool = True,
    is_shown: bool = True,
) -> Iterator[Task]:
    """A context of a piece of work, in whose label the verb comes first: "reading the images of train".

    It is shown on `stream`, by default stderr, by a thread; unless `in_background`, at its beginning and when it
    advances, so that nothing runs beside work that is timed. `is_shown` is False where something else shows the task.
    """
    work = Task(label, total, unit, time.monotonic())
    target = stream or sys.stderr
    if not (_is_shown and is_shown) or target is None:
        yield work
        return
    is_bar = is_terminal(target) and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")  # as rich sees it
    delay = (BAR_AFTER_SECONDS if is_bar else LINE_AFTER_SECONDS) if in_background else 0.0
    view = (Bar if is_bar else Lines)(work, stream, delay)
    _under_way.append(work)
    with work.display as display:
        display.callback(view.close)
        display.callback(_under_way.remove, work)
        display.enter_context(_ticking(view) if in_background else _ticked_by(work, view))
        yield work


@contextlib.contextmanager
def _ticking(view: Lines | Bar) -> Iterator[None]:
    has_ended = threading.Event()

    def watch() -> None:
        while not has_ended.wait(TICK_SECONDS):
            view.tick(time.monotonic())

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


@contextlib.contextmanager
def _ticked_by(work: Task, view: Lines | Bar) -> Iterator[None]:
    work.on_advance = lambda: view.tick(time.monotonic())
    work.on_advance()
    yield


def track(
    items: Iterable[T], label: str, total: float | None = None, unit: str = "", *, in_background: bool = True
) -> Iterator[T]:
    """The items, shown as a task that ends with the last one."""
    with task(label, total, unit, in_background=in_background) as work:
        for item in items:
            yield item
            work.advance()
