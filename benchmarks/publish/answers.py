"""Short tables of the results of committed studies and tuner sessions, for the pages that discuss them.

From docs/{studies,sessions}/NAME/report.json; before there is one, the line says so.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from models.reporting import figures
from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column
from tuning import statistics
from tuning.sessions.folder import COMPLETED
from tuning.sessions.reporting import page as session_page

NOT_RUN = "not run yet"
LENGTHS = "augmentation_length"
NETWORKS = "architectures"
MARKS = {statistics.HIGHER: " ▲", statistics.LOWER: " ▼"}

Report = Mapping[str, Any]


def lengths(studies: pathlib.Path) -> list[str]:
    """Fine accuracy on validation by set of transforms and length of training, and on training in brackets."""
    report = _report(studies / LENGTHS)
    if report is None:
        return [f"`python -m tuning.study --study={LENGTHS}`: {NOT_RUN}."]
    name = report["metrics"][0]
    rows = {tuple(row["levels"]): row for row in report["variants"]}
    sets, epochs = (list(dict.fromkeys(level)) for level in zip(*rows, strict=True))

    def cell(level: str, length: str) -> str:
        row = rows.get((level, length))
        if row is None:
            return ""
        figure = row["measured"][name]
        mark = MARKS.get(figure["comparison"]["verdict"], "") if figure["comparison"] else ""
        return f"{figures.spread(figure['mean'], figure['std'])}{mark} ({figures.percent(row['training'][name])})"

    def column(length: str) -> Column[str]:
        return Column(f"{length} epochs", lambda level: cell(level, length))

    return [*markdown_table.lines([Column("augmentation", str), *map(column, epochs)], sets), "", _command(report)]


def networks(studies: pathlib.Path) -> list[str]:
    """Each network that was trained to one cost, the most accurate on validation first."""
    report = _report(studies / NETWORKS)
    if report is None:
        return [f"`python -m tuning.study --study={NETWORKS}`: {NOT_RUN}."]
    fine, coarse = (*report["metrics"], *report["shown"])[:2]

    def accuracy(row: Report, metric: str) -> str:
        return figures.spread(row["measured"][metric]["mean"], row["measured"][metric]["std"])

    columns: list[Column[Report]] = [
        Column("network", lambda row: row["name"]),
        Column("fine (%)", lambda row: accuracy(row, fine), is_number=True),
        Column("coarse (%)", lambda row: accuracy(row, coarse), is_number=True),
        Column("PFLOP", lambda row: f"{row['train_petaflop']:.2f}", is_number=True),
        Column("epochs", lambda row: f"{row['epochs']:.2f}", is_number=True),
        Column("parameters", lambda row: f"{row['num_parameters']:,.0f}", is_number=True),
        Column("seconds", lambda row: f"{row['train_seconds']:,.0f}", is_number=True),
        Column("MiB", lambda row: f"{row['peak_rss_mib']:,.0f}", is_number=True),
        Column("seeds", lambda row: f"{len(row['seeds'])}", is_number=True),
    ]
    rows = sorted(report["variants"], key=lambda row: row["measured"][fine]["mean"], reverse=True)
    return [*markdown_table.lines(columns, rows), "", _command(report)]


def session(sessions: pathlib.Path, name: str) -> list[str]:
    """What a tuner session found and cost, and what its best trial is worth beside the untuned preset."""
    report = _report(sessions / name)
    if report is None:
        return [f"`python -m tuning.tune --space={name}`: {NOT_RUN}."]
    completed = [trial for trial in report["trials"] if trial["status"] == COMPLETED]
    best = report["best"]
    lines = [f"- {session_page.summary(report)}"]
    accuracies = ", ".join(f"{level} {figures.percent(best[level])} %" for level in ("fine", "coarse") if best[level])
    lines.append(f"- best of {len(completed)} trials: {accuracies} on validation; {best['seconds']:,.0f} s in all")
    lines += session_page.retrained_lines(report["retrained"]) if report["retrained"] else []
    return [*lines, "", _command(report)]


def _report(folder: pathlib.Path) -> Report | None:
    path = folder / "report.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _command(report: Report) -> str:
    commits = report["git_commit"]
    commit = commits if isinstance(commits, str) else " and ".join(commits)
    return f"`{report['command']}`, commit {commit}"
