"""The flags and the end of a benchmark: refusals, rows that are kept, and the exit code of a worse row."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from benchmarks import accuracy
from benchmarks.harness import cli_output
from pipeline.common import app, errors
from tests.benchmarks.harness.rows import row
from tests.binaries import call, call_here
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def own_flags():
    own = app.Flags()
    cli_output.define_flags(own)
    return own


@pytest.fixture
def run_dir(tmp_path):
    """As a training and an evaluation leave it."""
    folder = tmp_path / "run"
    folder.mkdir()
    report = json.loads((RESULTS / "tiny-cifar100.json").read_text())["runs"][0]["report"]
    (folder / "config.json").write_text(json.dumps({"epochs": 1.0}))
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_binary_compares_with_what_it_wrote(run_dir, tmp_path, monkeypatch, capsys):
    out = tmp_path / "old.json"
    for flag in (f"--out={out}", f"--compare={out}"):
        assert call_here(monkeypatch, accuracy.main, accuracy.flags, f"--run_dirs={run_dir}", flag) == 0
    assert "compared with the earlier run" in capsys.readouterr().out


@pytest.mark.parametrize(("now", "tolerance", "is_worse"), [(80.0, 0.1, True), (80.0, 0.3, False), (99.0, 0.1, False)])
def test_benchmark_whose_row_is_worse_ends_with_exit_code_one(
    own_flags, tmp_path, monkeypatch, capsys, now, tolerance, is_worse
):
    old = json.loads((RESULTS / "train_step.json").read_text()) | {"rows": [row("ours/x", "images/s", 100.0).as_json()]}
    (tmp_path / "old.json").write_text(json.dumps(old))

    def main():
        cli_output.finish("train_step", [row("ours/x", "images/s", now)])

    given = [f"--compare={tmp_path / 'old.json'}", f"--tolerance={tolerance}"]
    assert call_here(monkeypatch, main, own_flags, *given) == int(is_worse)
    printed = capsys.readouterr()
    assert ("1 of 1 rows are worse than" in printed.err) == is_worse
    assert f"{now / 100:.2f}" in printed.out


@pytest.mark.parametrize("content", [None, "{", '{"benchmark": "augment", "rows": []}'])
def test_what_cannot_be_compared_with_is_one_line_before_any_measuring(run_dir, tmp_path, content):
    path = tmp_path / "old.json"
    if content is not None:
        path.write_text(content)
    done = call("benchmarks.accuracy", f"--run_dirs={run_dir}", f"--compare={path}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: compare={path}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out=/tmp"], "out=/tmp: cannot be written (expected a file, got a folder)"),
        (["--out=/proc/x.json"], "out=/proc/x.json: cannot be written ("),
        (["--quick", "--num_trials=9"], "num_trials and quick: --quick has its own"),
        (["--workers=0"], "workers=0: expected whole numbers above 0 and at most 1000, such as 1,2"),
    ],
)
def test_what_would_fail_at_the_end_is_refused_at_the_beginning(flags, message):
    done = call("benchmarks.tuner", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_sigterm_ends_as_ctrl_c_does(tmp_path):
    """While images are drawn: what it has begun, in processes and in a temporary folder, goes with it."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--sizes=100000", "--batch_images=100000"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
    while not list(tmp_path.glob("**/100000/*")):
        assert process.poll() is None
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert "interrupted" in process.communicate()[1]
    assert process.returncode == 3
    _, running = psutil.wait_procs(children, timeout=600)  # multiprocessing's resource tracker ends after its parent
    assert running == []
    assert not list(tmp_path.glob("**/100000"))


ONE = [row("ours/x", "MiB", 80.0)]


@pytest.mark.parametrize(
    ("ends", "rows", "writes", "code", "words"),
    [
        (KeyboardInterrupt, ONE, True, 3, "error: interrupted; the rows measured before are in "),
        (errors.FailedError("no"), ONE, True, 1, "error: no; the rows measured before are in "),
        (
            KeyboardInterrupt,
            [],
            True,
            3,
            "error: interrupted; what was saved before is kept",
        ),
        (
            KeyboardInterrupt,
            ONE,
            False,
            3,
            "error: interrupted; what was saved before is kept",
        ),
    ],
)
def test_what_ends_early_leaves_its_rows_and_an_earlier_result_as_it_was(
    own_flags, tmp_path, monkeypatch, capsys, ends, rows, writes, code, words
):
    out = tmp_path / "memory.json"
    out.write_text("an earlier result")

    def main():
        with cli_output.publishing("memory", lambda: rows, dataset="x"):
            raise ends

    assert call_here(monkeypatch, main, own_flags, *([f"--out={out}"] if writes else [])) == code
    printed = capsys.readouterr()
    assert words in printed.err
    assert ("ours/x" in printed.out) == bool(rows)
    assert out.read_text() == "an earlier result"
    kept = tmp_path / "memory.json.interrupted"
    assert kept.exists() == (writes and bool(rows))
    if kept.exists():
        document = json.loads(kept.read_text())
        assert (document["rows"], document["dataset"]) == ([one.as_json() for one in rows], "x")
