"""Seeds of one recipe as one result; anything else is refused."""

import json
import statistics
import sys

import pytest
from absl import flags

from benchmarks import accuracy
from pipeline import errors
from tests.models.reporting import run_files


def evaluated(path, seed, fine_accuracy, **other):
    """A finished run's folder; returns its path."""
    report = {
        **run_files.REPORT,
        "preset_changes": {},
        "optimizer_petaflop": 0.0,
        "split": "test",
        "seed": seed,
        "fine_accuracy": fine_accuracy,
        **other,
    }
    path.mkdir()
    (path / "report.json").write_text(json.dumps(report))
    (path / "config.json").write_text("{}")
    return str(path)


@pytest.fixture
def collect(tmp_path):
    def call(*run_dirs):
        out = tmp_path / "out.json"
        flags.FLAGS.unparse_flags()
        flags.FLAGS([sys.argv[0], f"--run_dirs={','.join(run_dirs)}", f"--out={out}"])
        accuracy.main()
        return json.loads(out.read_text())

    yield call
    flags.FLAGS.unparse_flags()
    flags.FLAGS([sys.argv[0]])


def test_mean_and_deviation_over_seeds(collect, tmp_path, capsys):
    values = (0.70, 0.71, 0.75)
    run_dirs = [evaluated(tmp_path / str(seed), seed, value) for seed, value in enumerate(values)]
    document = collect(*run_dirs)
    (row,) = (row for row in document["rows"] if row["name"].endswith("/fine_accuracy"))
    assert (row["mean"], row["repeats"]) == (72.0, 3)
    assert row["standard_deviation"] == round(statistics.stdev([70, 71, 75]), 3)
    assert "72.00 ± 2.65 %" in capsys.readouterr().out
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
    with pytest.raises((errors.BadArgumentError, errors.FailedError), match=message):
        collect(*run_dirs)


def test_no_runs_are_refused(collect):
    with pytest.raises(errors.BadArgumentError, match="run_dirs is missing"):
        collect()
