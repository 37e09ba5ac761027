"""The progress of a session: a live table of its best trials on a terminal, a line per trial everywhere."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from models.reporting import figures, table
from pipeline.common import durations, markdown_table, progress
from pipeline.common.numbers import counted
from tuning.sessions.folder import COMPLETED, ranked
from tuning.sessions.reporting.page import TRIAL_COLUMNS, front_columns, values_text
from tuning.sessions.session import Session
from tuning.sessions.trade_offs import objectives
from tuning.sessions.trade_offs.front import front

REFRESH_SECONDS = 1.0
SHOWN_TRIALS = 10


class SessionProgress:
    """A context around a search; the table appears with the first trial, since a trunk's training has its own bar."""

    def __init__(self, session: Session, console: Console | None = None) -> None:
        self._session = session
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._running: dict[str, dict[str, Any]] = {}
        self._task: progress.Task | None = None  # in a log
        self._status = ""
        self._stack = contextlib.ExitStack()
        self._began = self._shown = time.perf_counter()

    def __enter__(self) -> "SessionProgress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        if self._live is not None and self._live.is_started:
            self._live.update(self._picture(), refresh=True)
            self._live.stop()

    def print(self, line: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(line), soft_wrap=True)

    @contextlib.contextmanager
    def task(self, label: str) -> Iterator[None]:
        """A context of a wait between trials: text below the table, since a terminal has one live display."""
        self._status = f"; {label}"
        if self._live is not None:
            self.advance(at_once=True)
        with progress.task(label, is_shown=self._live is None):
            yield
        self._status = ""

    def begin(self, trial_id: str, hyperparameters: dict[str, Any]) -> None:
        """Show a trial as running."""
        self._running[trial_id] = hyperparameters
        self.advance(at_once=True)

    def advance(self, at_once: bool = False) -> None:
        """Redraw the table, at most once a second unless `at_once`; in a log, say which trials are running."""
        if self._live is None:
            self._task = self._task or self._stack.enter_context(progress.task("", unit="trials ended"))
            self._task.label = f"training trial {', '.join(self._running)}" if self._running else "waiting for trials"
            return
        if not at_once and time.perf_counter() - self._shown < REFRESH_SECONDS:
            return
        self._shown = time.perf_counter()
        self._live.start()
        self._live.update(self._picture(), refresh=True)

    def end(self, record: dict[str, Any]) -> None:
        """Print the result of a trial."""
        self._running.pop(record["id"], None)
        records = self._session.folder.records()
        line = f"trial {record['id']}: {outcome(record)}"
        best, names = ranked(records)[:1], self._session.config.objective_names
        if len(names) > 1:
            line += f"; Pareto front: {', '.join(one['id'] for one in front(records, names)) or 'none'}"
        elif best:
            line += f"; best: trial {best[0]['id']}, {figures.percent(best[0]['objective'])} %"
        self.print(line)
        self.advance(at_once=True)
        if self._task is not None:
            self._task.advance()

    def _picture(self) -> Group:
        records = self._session.folder.records()
        best, names = ranked(records), self._session.config.objective_names
        if len(names) > 1:
            texts = markdown_table.cells(front_columns(names), front(records, names)[:SHOWN_TRIALS])
        else:
            texts = markdown_table.cells(TRIAL_COLUMNS, enumerate(best[:SHOWN_TRIALS], start=1))
        place, empty = texts[0].index("trial"), [""] * len(texts[0])
        for name, values in self._running.items():
            row = [*empty[:place], name, "running", *empty[place + 3 :], values_text(values)]
            texts.append(row)
        num_failed = len(records) - len(best)
        words = f"{counted(len(best), 'trial')} completed, {num_failed} failed, {len(self._running)} running; "
        words += f"this call has taken {durations.in_words(time.perf_counter() - self._began)}{self._status}"
        return Group(table.of_texts(texts, words=["hyperparameters"]), Text(words))


def outcome(record: dict[str, Any]) -> str:
    """The result of a trial as text."""
    if record["status"] != COMPLETED:
        return f"failed: {record['reason']}"
    epochs = counted(float(record["epochs"]), "epoch")
    if several := record.get("objectives"):
        values = ", ".join(
            f"{name} {objectives.text(name, value)}" + (" %" if objectives.is_maximized(name) else "")
            for name, value in several.items()
        )
        return f"{values}, {epochs}, {record['seconds']:.0f} s"
    known = {name: record[name] for name in ("fine", "coarse") if record[name] is not None}
    accuracies = ", ".join(f"{name} {figures.percent(value)} %" for name, value in known.items())
    shown = f" ({accuracies})" if len(known) > 1 else ""
    return f"{figures.percent(record['objective'])} %{shown}, {epochs}, {record['seconds']:.0f} s"
