"""The binary as a person meets it: killed, gone on with, refused; on shapes100_tiny."""

import json
import signal

import pytest

from tests.binaries import call, call_signalled


def test_killed_study_goes_on_and_reports(tiny_data_dir, tmp_path):
    folder = tmp_path / "study"
    flags = ("--study=padding", "--budget=smoke", "--repeats=2", "--workers=1", "--dataset=shapes100_tiny")
    flags = (*flags, f"--data_dir={tiny_data_dir}", f"--study_dir={folder}")
    first, second = (folder / "cells" / f"{name}-seed-0.json" for name in ("same", "valid"))
    killed = call_signalled(signal.SIGKILL, first.name, "tuning.study", *flags)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    kept = first.read_bytes()
    assert not (folder / "report.json").exists()

    interrupted = call_signalled(signal.SIGINT, second.name, "tuning.study", *flags)
    assert interrupted.returncode == 3, interrupted.stderr
    report = json.loads((folder / "report.json").read_text())
    assert [row["seeds"] for row in report["variants"]] == [[0], [0]]  # what there was by then

    done = call("tuning.study", *flags)
    assert done.returncode == 0, done.stderr
    assert first.read_bytes() == kept
    assert "[4/4] valid, seed 1: fine " in done.stdout
    assert "[1/4]" not in done.stdout  # never again
    report = json.loads((folder / "report.json").read_text())
    assert [row["seeds"] for row in report["variants"]] == [[0, 1], [0, 1]]
    assert all(job["status"] == "finished" and job["train_petaflop"] > 0 for job in report["cells"])
    assert (report["num_train"], report["num_validation"], report["split"]) == ([1500], [500], "validation")
    job = json.loads(first.read_text())
    assert job["config"]["padding"] == "same"
    assert job["report"]["steps"] == 6
    files = {path.name for path in folder.iterdir()}
    assert {"report.md", "bars_fine_accuracy.png"} <= files  # of one epoch there are no curves
    assert not list((folder / "runs").iterdir())

    # A finished study needs no data.
    done = call("tuning.study", *flags[:-2], f"--data_dir={tmp_path / 'gone'}", flags[-1])
    assert done.returncode == 0, done.stderr


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
