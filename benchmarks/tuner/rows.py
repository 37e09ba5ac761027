"""The rows of `benchmarks.tuner`: trials an hour by the number of workers, overhead and memory."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import results
from benchmarks.harness.labels import Labels
from benchmarks.tuner.cases import Round

NUM_COMPARED = 4  # trials at either end whose memory is compared


def rows(rounds: Sequence[Round]) -> list[results.Row]:
    """The rows of the rounds so far, none without a round.

    The first number of workers is the reference of the others; overhead and memory are of its sessions, whose trials
    have the machine to themselves.
    """
    if not rounds:
        return []
    first = next(iter(rounds[0]["workers"]))
    sessions = [one["workers"][first] for one in rounds]
    overheads = [[record["overhead_seconds"] for record in session["records"]] for session in sessions]
    begins = [_peak_mib(session, 0, NUM_COMPARED) for session in sessions]
    ends = [_peak_mib(session, len(session["records"]) - NUM_COMPARED, len(session["records"])) for session in sessions]
    begin, end = _row("memory", "begin", "MiB", begins), _row("memory", "end", "MiB", ends)
    growth = statistics.median(late / early for late, early in zip(ends, begins, strict=True))
    return [
        *_rates("workers", rounds),
        *_rates("loopback", rounds),
        _row("overhead", "mean", "s", [statistics.mean(seconds) for seconds in overheads]),
        _row("overhead", "most", "s", [max(seconds) for seconds in overheads]),
        begin,
        end.compared_with(begin, growth),
    ]


def _row(kind: str, metric: str, unit: str, values: Sequence[float]) -> results.Row:
    return results.row(Labels.of(f"ours/tuner/{kind}/{{metric}}", kind, metric=metric), unit, values)


def _rates(kind: str, rounds: Sequence[Round]) -> list[results.Row]:
    """Trials an hour by the number of workers; all but the first have their ratio to it, from within the rounds."""
    rates = {
        workers: [3600 * len(one[kind][workers]["records"]) / one[kind][workers]["seconds"] for one in rounds]
        for workers in rounds[0][kind]
    }
    rows: list[results.Row] = []
    for workers, values in rates.items():
        labels = Labels.of(f"ours/tuner/{kind}_{{workers}}", kind, workers=workers)
        row = results.row(labels, "trials/h", values, trials=len(rounds[0][kind][workers]["records"]))
        if rows:
            ratios = [many / one for many, one in zip(values, next(iter(rates.values())), strict=True)]
            row = row.compared_with(rows[0], statistics.median(ratios))
        rows.append(row)
    return rows


def _peak_mib(session: Mapping[str, Any], begin: int, end: int) -> float:
    """The most memory of a session while `begin` to `end` - 1 of its trials had ended."""
    return max(mib for ended, mib in session["samples"] if begin <= ended < end)
