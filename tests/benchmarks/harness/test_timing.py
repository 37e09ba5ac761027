"""The arithmetic of timing, by a clock that the test moves."""

import json

import pytest

from benchmarks.harness import results
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case, Timing, interleave, ratio

A, B = Labels("a", "x"), Labels("b", "x")
OURS = Labels.of("ours/x", "step", batch_size=2)
PEER = Labels.of("peer/{peer}/x", "step", peer="y")


class Clock:
    """A clock that stands still until work moves it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, *seconds: float):
        spent = iter(seconds)

        def run() -> None:
            self.now += next(spent)

        return run


def test_cases_alternate_warm_up_is_apart_and_rates_are_units_per_second():
    clock, order = Clock(), []
    works = {"a": clock.work(10.0, 1.0, 2.0, 4.0), "b": clock.work(20.0, 2.0, 4.0, 4.0)}

    def run(name: str):
        return lambda: (order.append(name), works[name]())

    found = interleave([Case(A, run("a"), 100), Case(B, run("b"), 100)], repeats=3, clock=clock)
    assert order == ["a", "b"] * 4
    assert found["a"] == Timing(A, 10.0, (100.0, 50.0, 25.0))
    assert found["b"].first_s == 20.0
    assert found["a"].median == 50.0
    assert ratio(found["a"], found["b"]) == 2.0  # rounds: 2, 2, 1


def test_what_comes_before_and_after_a_run_takes_no_time_of_it():
    clock, order = Clock(), []
    run, before, after = clock.work(2.0, 4.0), clock.work(100.0, 100.0), clock.work(50.0, 50.0)

    def told(name: str, work):
        return lambda: (order.append(name), work())

    side = Case(A, told("run", run), 8, told("before", before), told("after", after))
    found = interleave([side], repeats=1, clock=clock)
    assert order == ["before", "run", "after"] * 2
    assert (found["a"].first_s, found["a"].rates) == (2.0, (2.0,))


def test_name_follows_from_the_fields():
    labels = Labels.of("peer/{peer}/limit_{limit_gib:g}GiB/{views}", "limit", peer="study", limit_gib=2.0, views=40_000)
    assert labels.name == "peer/study/limit_2GiB/40000"
    assert (labels.kind, labels.peer, labels.limit_gib, labels.views, labels.cache) == (
        "limit",
        "study",
        2.0,
        40_000,
        None,
    )


def test_row_carries_spread_and_ratio():
    fast, slow = Timing(OURS, 1.0, (30.0, 20.0, 40.0)), Timing(PEER, 1.0, (10.0, 10.0, 10.0))
    row = results.timed(fast, compared=(fast, slow), steps_per_s=2.0)
    assert row.as_json() == {
        "name": "ours/x",
        "kind": "step",
        "batch_size": 2,
        "unit": "images/s",
        "median": 30.0,
        "min": 20.0,
        "max": 40.0,
        "repeats": 3,
        "first_call_s": 1.0,
        "ratio": 3.0,
        "ratio_of": ["ours/x", "peer/y/x"],
        "steps_per_s": 2.0,
    }
    assert results.Row.from_json({**row.as_json(), "unknown": 1}) == row


def test_published_json_has_the_contracts_keys(tmp_path, capsys):
    out = tmp_path / "deep" / "result.json"
    results.publish("train_step", [results.timed(Timing(OURS, 1.0, (30.0,)))], str(out))
    document = json.loads(out.read_text())
    assert document.keys() >= {"benchmark", "command", "device", "versions", "git_commit", "rows"}
    assert document["rows"][0]["median"] == pytest.approx(30.0)
    assert "ours/x" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["result.json"]


def test_table_shows_what_rows_have_beside_their_medians(capsys):
    timed = Timing(OURS, 1.25, (30.0,))
    rows = [
        results.timed(timed, ceiling_share=0.5, cpu_s_per_million=12.345, peak_mib=1234.5),
        results.row(Labels("ours/y", "peak"), "MiB", [7.0]),
    ]
    results.show("input", rows)
    _, heading, _, x, y = (line.split("  ") for line in capsys.readouterr().out.splitlines()[2:7])
    told = [word.strip() for word in heading if word.strip()]
    assert told == ["row", "median", "min", "max", "unit", "ceiling", "million", "MiB", "call s"]
    assert [word.strip() for word in x if word.strip()][5:] == ["50.0%", "12.35", "1,234", "1.25"]
    assert [word.strip() for word in y if word.strip()] == ["ours/y", "7", "7", "7", "MiB"]


@pytest.mark.parametrize(
    "arguments", [["--compare=a b.json", "--repeats=3"], ["--tolerance", "0.2", "--repeats=3", "--compare", "x.json"]]
)
def test_command_of_a_result_measures_it_again_wherever_it_was_compared(arguments):
    assert results.command("input", arguments) == "python -m benchmarks.input --repeats=3"
