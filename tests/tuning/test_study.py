"""The binary as a person meets it: killed, gone on with, refused; on shapes100_tiny."""

import functools
import json
import signal

import pytest

from tests.binaries import call, call_here, call_signalled, signal_at
from tests.tuning import stub_training
from tuning import study
from tuning.studies import runner

PADDING = ("--study=padding", "--budget=smoke", "--workers=1", "--dataset=shapes100_tiny")


def test_killed_study_goes_on_and_reports(tiny_data_dir, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "study"
    flags = (*PADDING, "--repeats=1", f"--data_dir={tiny_data_dir}", f"--study_dir={folder}")
    first = folder / "cells" / "same-seed-0.json"
    killed = call_signalled(signal.SIGKILL, first.name, "tuning.study", *flags)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    kept = first.read_bytes()
    assert not (folder / "report.json").exists()

    assert call_here(monkeypatch, study.main, study.flags, *flags) == 0
    assert first.read_bytes() == kept
    told = capsys.readouterr().out
    assert "[2/2] valid, seed 0: fine " in told
    assert "[1/2]" not in told  # never again
    report = json.loads((folder / "report.json").read_text())
    assert [row["seeds"] for row in report["variants"]] == [[0], [0]]
    assert all(job["status"] == "finished" and job["train_petaflop"] > 0 for job in report["cells"])
    assert (report["num_train"], report["num_validation"], report["split"]) == ([1500], [500], "validation")
    job = json.loads(first.read_text())
    assert job["config"]["padding"] == "same"
    assert job["report"]["steps"] == 6
    files = {path.name for path in folder.iterdir()}
    assert {"report.md", "bars_fine_accuracy.png"} <= files  # of one epoch there are no curves
    assert not list((folder / "runs").iterdir())

    # A finished study needs no data.
    flags = (*PADDING, "--repeats=1", f"--data_dir={tmp_path / 'gone'}", f"--study_dir={folder}")
    assert call_here(monkeypatch, study.main, study.flags, *flags) == 0


def test_interrupted_study_reports_what_there_is(tiny_data_dir, tmp_path, monkeypatch):
    folder = tmp_path / "study"
    flags = (*PADDING, "--repeats=2", f"--data_dir={tiny_data_dir}", f"--study_dir={folder}")
    train = {"train": stub_training.train, "choose_precision": stub_training.choose}
    monkeypatch.setattr(runner, "run", functools.partial(runner.run, **train))
    signal_at(signal.SIGINT, "valid-seed-0.json")
    assert call_here(monkeypatch, study.main, study.flags, *flags) == 3
    report = json.loads((folder / "report.json").read_text())
    assert [row["seeds"] for row in report["variants"]] == [[0], [0]]


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ((), 2, "study is missing: expected one of fast_ablation"),
        (("--study=normalization",), 2, "did you mean 'normalisation'?"),
        (("--study=normalisation", "--variants=units"), 2, "did you mean 'unit'?"),
        (("--study=normalisation", "--repeats=0"), 2, "repeats=0"),
        (("--study=normalisation", "--budget=long"), 2, "<smoke|short|full>"),
        (("--study=normalisation", "--study_dir=setup.py/x"), 2, "study_dir=setup.py/x: expected a folder"),
    ],
)
def test_wrong_arguments_are_one_line(flags, code, message):
    done = call("tuning.study", *flags)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.startswith("error: ")) == (code, True)
    assert message in line
