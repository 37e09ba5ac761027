"""The flags and the end of a benchmark: refusals, rows that are kept, and the exit code of a worse row."""

import json
import os
import pathlib
import subprocess
import sys
import time

import psutil
import pytest

from tests.benchmarks.harness.rows import row
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PROGRAM = """
from benchmarks.harness import cli_output, results
from pipeline.common import app, errors

flags = app.Flags()
cli_output.define_flags(flags)

def rows(documents):
    return [results.Row.from_json(document) for document in documents]

"""


def accuracy(run_dir: pathlib.Path, *flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.accuracy", f"--run_dirs={run_dir}", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def run_dir(tmp_path):
    """As a training and an evaluation leave it."""
    folder = tmp_path / "run"
    folder.mkdir()
    report = json.loads((RESULTS / "tiny-cifar100.json").read_text())["runs"][0]["report"]
    (folder / "config.json").write_text("{}")
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_binary_compares_with_what_it_wrote(run_dir, tmp_path):
    out = tmp_path / "old.json"
    first = accuracy(run_dir, f"--out={out}")
    assert first.returncode == 0, first.stderr
    same = accuracy(run_dir, f"--compare={out}")
    assert same.returncode == 0, same.stderr
    assert "compared with the earlier run" in same.stdout


@pytest.mark.parametrize(("now", "tolerance", "is_worse"), [(80.0, 0.1, True), (80.0, 0.3, False), (99.0, 0.1, False)])
def test_benchmark_whose_row_is_worse_ends_with_exit_code_one(tmp_path, now, tolerance, is_worse):
    old = json.loads((RESULTS / "train_step.json").read_text()) | {"rows": [row("ours/x", "images/s", 100.0).as_json()]}
    (tmp_path / "old.json").write_text(json.dumps(old))
    program = PROGRAM + (
        f"def main(): cli_output.finish('train_step', rows([{row('ours/x', 'images/s', now).as_json()}]))\n"
        "app.run(main, flags)"
    )
    flags = [f"--compare={tmp_path / 'old.json'}", f"--tolerance={tolerance}"]
    done = subprocess.run(
        [sys.executable, "-c", program, *flags], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == int(is_worse), done.stderr
    assert ("1 of 1 rows are worse than" in done.stderr) == is_worse
    assert f"{now / 100:.2f}" in done.stdout


@pytest.mark.parametrize("content", [None, "{", '{"benchmark": "augment", "rows": []}'])
def test_what_cannot_be_compared_with_is_one_line_before_any_measuring(run_dir, tmp_path, content):
    path = tmp_path / "old.json"
    if content is not None:
        path.write_text(content)
    done = accuracy(run_dir, f"--compare={path}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: compare={path}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out=/tmp"], "out=/tmp: cannot be written (it is a folder); expected a JSON file to write"),
        (["--out=/proc/x.json"], "out=/proc/x.json: cannot be written ("),
        (["--quick", "--num_trials=9"], "num_trials and quick: --quick has its own"),
        (["--workers=0"], "workers=0: expected whole numbers above 0, such as 1,2"),
    ],
)
def test_what_would_fail_at_the_end_is_refused_at_the_beginning(flags, message):
    command = [sys.executable, "-m", "benchmarks.tuner", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_sigterm_ends_as_ctrl_c_does(tmp_path):
    """While images are drawn: what it has begun, in processes and in a temporary folder, goes with it."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--sizes=100000", "--batch_images=100000"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
    while not list(tmp_path.glob("*/100000/*")):
        assert process.poll() is None
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert "interrupted" in process.communicate()[1]
    assert process.returncode == 1
    _, running = psutil.wait_procs(children, timeout=600)  # multiprocessing's resource tracker ends after its parent
    assert running == []
    assert not list(tmp_path.glob("*/100000"))


ONE = [row("ours/x", "MiB", 80.0).as_json()]


@pytest.mark.parametrize(
    ("ends", "rows", "writes", "code", "words"),
    [
        ("KeyboardInterrupt", ONE, True, 3, "error: interrupted; the rows measured before are in "),
        ("errors.FailedError('no')", ONE, True, 1, "error: no; the rows measured before are in "),
        ("KeyboardInterrupt", [], True, 1, "error: interrupted; nothing was saved"),
        ("KeyboardInterrupt", ONE, False, 1, "error: interrupted; nothing was saved"),
    ],
)
def test_what_ends_early_leaves_its_rows_and_an_earlier_result_as_it_was(tmp_path, ends, rows, writes, code, words):
    out = tmp_path / "memory.json"
    out.write_text("an earlier result")
    program = PROGRAM + (
        f"def main():\n  with cli_output.publishing('memory', lambda: rows({rows}), dataset='x'):\n    raise {ends}\n"
        "app.run(main, flags)"
    )
    given = [f"--out={out}"] if writes else []
    done = subprocess.run(
        [sys.executable, "-c", program, *given], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert words in done.stderr
    assert ("ours/x" in done.stdout) == bool(rows)
    assert out.read_text() == "an earlier result"
    kept = tmp_path / "memory.json.interrupted"
    assert kept.exists() == (writes and bool(rows))
    if kept.exists():
        document = json.loads(kept.read_text())
        assert (document["rows"], document["dataset"]) == (rows, "x")
