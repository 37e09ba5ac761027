"""Seeds of one recipe as one result; anything else is refused."""

import json
import re
import statistics

import pytest

from benchmarks import accuracy
from tests.binaries import call_here
from tests.models.reporting import run_files


def evaluated(path, seed, fine_accuracy, **other):
    """A finished run's folder; returns its path."""
    report = {
        **run_files.REPORT,
        "preset_changes": {},
        "executed_petaflop": 0.05,
        "optimizer_petaflop": 0.0,
        "split": "test",
        "seed": seed,
        "fine_accuracy": fine_accuracy,
        **other,
    }
    path.mkdir()
    (path / "report.json").write_text(json.dumps(report))
    (path / "config.json").write_text('{"epochs": 1.0}')
    return str(path)


@pytest.fixture
def collect(tmp_path, monkeypatch, capsys):
    """Runs the binary; returns what it printed, its last line on stderr, and the JSON."""

    def call(*run_dirs):
        out = tmp_path / "out.json"
        call_here(monkeypatch, accuracy.main, accuracy.flags, f"--run_dirs={','.join(run_dirs)}", f"--out={out}")
        document = json.loads(out.read_text()) if out.exists() else None
        return *capsys.readouterr(), document

    return call


def test_mean_and_deviation_over_seeds(collect, tmp_path):
    values = (0.70, 0.71, 0.75)
    run_dirs = [evaluated(tmp_path / str(seed), seed, value) for seed, value in enumerate(values)]
    printed, stderr, document = collect(*run_dirs)
    assert document, stderr
    (row,) = (row for row in document["rows"] if row["name"].endswith("/fine_accuracy"))
    assert (row["mean"], row["repeats"]) == (72.0, 3)
    assert row["standard_deviation"] == round(statistics.stdev([70, 71, 75]), 3)
    assert "72.00 ± 2.65 %" in printed
    assert [run["report"]["seed"] for run in document["runs"]] == [0, 1, 2]
    assert "--seed=2" in document["runs"][2]["commands"][0]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"split": "validation"}, "evaluated on validation; run models.evaluate --split=test"),
        ({"seed": 0}, r"seeds \[0, 0\]; expected each once"),
        ({"epochs": 9}, "epochs is .* expected one recipe"),
    ],
)
def test_runs_that_are_no_seeds_of_one_recipe_are_refused(collect, tmp_path, other, message):
    run_dirs = [
        evaluated(tmp_path / "a", 0, 0.5),
        evaluated(tmp_path / "b", **{"seed": 1, "fine_accuracy": 0.5, **other}),
    ]
    _, stderr, document = collect(*run_dirs)
    assert document is None
    assert re.search(message, stderr)


def test_no_runs_are_refused(collect):
    assert "run_dirs is missing" in collect()[1]
