"""The rows of a tuner's sessions."""

import pytest

from benchmarks.tuner import rows as tuner_rows


def measured(num_trials: int, seconds: float, mib_at_the_end: float = 110.0) -> dict:
    records = [{"overhead_seconds": 0.5 + 0.1 * (number % 3)} for number in range(num_trials)]
    samples = [(ended, 100.0) for ended in range(4)] + [(num_trials - 2, mib_at_the_end), (num_trials, 900.0)]
    return {"seconds": seconds, "records": records, "samples": samples}


def test_rows_of_one_worker_and_of_two():
    loopback = {1: measured(20, 80.0), 2: measured(20, 50.0)}
    rounds = [
        {"workers": {1: measured(20, 60.0), 2: measured(20, 30.0)}, "loopback": loopback},
        {"workers": {1: measured(20, 72.0, 106.0), 2: measured(20, 45.0)}, "loopback": loopback},
    ]
    by_name = {row.name: row for row in tuner_rows.rows(rounds)}
    one, two = by_name["ours/tuner/workers_1"], by_name["ours/tuner/workers_2"]
    assert (one.median, one.min, one.max, one.repeats) == (1100.0, 1000.0, 1200.0, 2)
    assert (two.median, two.ratio) == (2000.0, 1.8)  # of 2.0 and 1.6, each within its round
    assert two.ratio_of == ["ours/tuner/workers_2", "ours/tuner/workers_1"]
    assert by_name["ours/tuner/loopback_2"].ratio == 1.6
    assert by_name["ours/tuner/loopback_2"].ratio_of == ["ours/tuner/loopback_2", "ours/tuner/loopback_1"]
    assert by_name["ours/tuner/overhead/mean"].median == pytest.approx(0.595)
    assert by_name["ours/tuner/overhead/most"].median == pytest.approx(0.7)
    end = by_name["ours/tuner/memory/end"]
    assert (end.min, end.max, end.ratio) == (106.0, 110.0, 1.08)  # 900 MiB came after the last trial


def test_no_round_no_rows_and_no_loopback_none_of_it():
    assert tuner_rows.rows([]) == []
    rows = tuner_rows.rows([{"workers": {1: measured(20, 60.0)}, "loopback": {}}])
    assert [row.name for row in rows if "loopback" in row.name] == []
    assert [row.median for row in rows if "workers" in row.name] == [1200.0]
