"""The tables that stand in a Markdown page between two comments, each drawn from the results that are committed."""

import json
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.publish import feed_table, memory_table, step_table, study_rows
from pipeline.common import errors
from tuning.sessions import page as session_page
from tuning.studies import page as study_page

STUDIES = pathlib.Path("docs", "studies")
SESSIONS = pathlib.Path("docs", "sessions")
RESULTS = pathlib.Path("benchmarks", "results")
_STUDY = re.compile(r"(?P<begin><!-- study (?P<name>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
_SESSION = re.compile(r"(?P<begin><!-- session (?P<name>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
# By its mark: the benchmark whose committed result a table is drawn from, and what draws it.
_OF_BENCHMARKS: dict[str, tuple[str, Callable[[Mapping[str, Any]], list[str]]]] = {
    "training steps": ("train_step", step_table.table),
    "feeds": ("input", feed_table.table),
    "memory": ("memory", memory_table.table),
}
_BENCHMARK = re.compile(
    rf"(?P<begin><!-- (?P<mark>{'|'.join(_OF_BENCHMARKS)}) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
_ROWS = re.compile(r"(?P<begin><!-- rows of the study -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def with_tables(text: str, checkout: pathlib.Path) -> str:
    """The page with each of its tables as the results in a checkout have it.

    Raises:
      errors.FailedError: a table's report is not there, or is none.
    """
    studies = checkout / STUDIES
    text = _STUDY.sub(lambda block: block["begin"] + _table(studies, block["name"]) + block["end"], text)
    sessions = checkout / SESSIONS
    text = _SESSION.sub(lambda block: block["begin"] + _session(sessions, block["name"]) + block["end"], text)
    rows = "\n".join(study_rows.table(checkout / RESULTS, studies)) + "\n"
    text = _ROWS.sub(lambda block: block["begin"] + rows + block["end"], text)
    results = checkout / RESULTS
    return _BENCHMARK.sub(lambda block: block["begin"] + _benchmark(results, block["mark"]) + block["end"], text)


def _benchmark(results: pathlib.Path, mark: str) -> str:
    name, table = _OF_BENCHMARKS[mark]
    path = results / f"{name}.json"
    try:
        lines = table(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        raise errors.FailedError(f"{path}: expected what benchmarks.{name} wrote with --out ({error})") from error
    return "\n".join(lines) + "\n"


def _session(sessions: pathlib.Path, name: str) -> str:
    path = sessions / name / "report.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lines = [session_page.summary(report), "", *session_page.retrained_lines(report["retrained"])]
        origin = session_page.origin(report)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.FailedError(
            f"{path}: expected a report.json that tuning.tune --retrain_best wrote ({error})"
        ) from error
    return "\n".join([*lines, "", f"{origin}. [All of it]({SESSIONS.as_posix()}/{name}/report.md)", ""])


def _table(studies: pathlib.Path, name: str) -> str:
    path = studies / name / "report.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lines = study_page.table(report, report["metrics"][0], with_commands=True)
        origin = study_page.origin(report)
    except (OSError, ValueError, KeyError) as error:
        raise errors.FailedError(f"{path}: expected a report.json that tuning.study wrote ({error})") from error
    return "\n".join([*lines, "", f"{origin}. [All of it]({STUDIES.as_posix()}/{name}/report.md)", ""])
