"""An earlier run's rows beside a new one's: what is worse is found, whatever the unit, and ends with exit code 1."""

import collections
import dataclasses
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time

import jsonschema
import psutil
import pytest

from benchmarks.harness import comparison, results, timing
from benchmarks.harness.comparison import BETTER, NOT_JUDGED, SAME, WORSE
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PROGRAM = """
from benchmarks.harness import cli_output, results
from pipeline.common import app, errors

cli_output.define_flags()

def rows(documents):
    return [results.Row.from_json(document) for document in documents]

"""


def row(name, unit, median, spread=0.02) -> results.Row:
    values = [median * (1 - spread), median, median * (1 + spread)]
    peer = name.split("/")[1] if name.startswith("peer/") else None
    kind = "ceiling" if "/ceiling/" in name else "step"
    return results.row(Labels(name, kind, peer=peer), unit, values, None)


@pytest.mark.parametrize(
    ("unit", "old", "new", "ratio", "verdict"),
    [
        ("images/s", 100.0, 80.0, 0.8, WORSE),
        ("images/s", 100.0, 95.0, 0.95, SAME),
        ("images/s", 100.0, 130.0, 1.3, BETTER),
        ("s", 10.0, 12.5, 0.8, WORSE),
        ("s", 10.0, 8.0, 1.25, BETTER),
        ("MiB", 100.0, 104.0, 100 / 104, SAME),
        ("%", 60.0, 30.0, 0.5, NOT_JUDGED),
        ("images/s", 100.0, 88.0, 0.88, WORSE),
    ],
)
def test_ratio_says_how_many_times_as_good(unit, old, new, ratio, verdict):
    (change,) = comparison.compare([row("ours/x", unit, old)], [row("ours/x", unit, new)], 0.1)
    assert change.ratio == pytest.approx(ratio)
    assert change.low == pytest.approx(ratio * 0.98 / 1.02)
    assert change.high == pytest.approx(ratio * 1.02 / 0.98)
    assert change.verdict == verdict


def test_what_is_within_the_spread_is_no_worse_and_others_are_not_judged():
    noisy = [row("ours/x", "images/s", 100.0, spread=0.5)], [row("ours/x", "images/s", 60.0, spread=0.5)]
    assert comparison.compare(*noisy, 0.1)[0].verdict == SAME
    once = [dataclasses.replace(rows[0], repeats=1) for rows in noisy]
    assert comparison.compare(once[:1], once[1:], 0.1)[0].verdict == WORSE
    for name in ("peer/y/x", "ours/ceiling/copy"):
        assert comparison.compare([row(name, "s", 1.0)], [row(name, "s", 9.0)], 0.1)[0].verdict == NOT_JUDGED


def test_machine_is_as_fast_as_what_is_no_doing_of_ours():
    old = [row(name, "images/s", 100.0) for name in ("ours/x", "peer/a/x", "peer/b/x", "ours/ceiling/copy")]
    new = [row(old.name, "images/s", value) for old, value in zip(old, (10.0, 80.0, 90.0, 50.0), strict=True)]
    memory = row("peer/study/peak/40000", "MiB", 1.0)
    changes = comparison.compare([*old, memory], [*new, dataclasses.replace(memory, median=9.0)], 0.1)
    assert comparison.machine_ratio(changes) == pytest.approx(0.8)
    assert comparison.machine_ratio(changes[:1]) is None


@pytest.mark.parametrize(("new", "agrees"), [(103.0, True), (97.0, True), (105.0, False), (95.0, False)])
def test_runs_agree_where_their_spreads_overlap(new, agrees):
    (change,) = comparison.compare([row("ours/x", "ms", 100.0)], [row("ours/x", "ms", new)], 0.1)
    assert change.agrees == agrees


def test_rows_of_one_run_alone_and_of_another_unit_are_left_out():
    old = [row("ours/gone", "s", 1.0), row("ours/other", "s", 1.0), row("ours/x", "s", 1.0), row("ours/zero", "s", 0.0)]
    new = [row("ours/x", "s", 1.0), row("ours/new", "s", 1.0), row("ours/other", "ms", 1.0), row("ours/zero", "s", 1.0)]
    assert [change.name for change in comparison.compare(old, new, 0.1)] == ["ours/x"]


def measured(data: DataConfig, slowed_by_s: float) -> list[results.Row]:
    """A real pipeline's row, its batches slowed down."""

    def batches():
        for batch in OpenedData(data).train(seed=0):
            time.sleep(slowed_by_s)
            yield batch

    case = Case(Labels("ours/train", "train"), lambda: collections.deque(itertools.islice(batches(), 30), 0), 3000)
    return [results.timed(timing.interleave([case], repeats=3)["ours/train"])]


def test_slowed_pipeline_is_caught(tiny_data_dir):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)
    usual, again, slowed = (measured(data, seconds) for seconds in (0.002, 0.002, 0.02))
    (change,) = comparison.compare(usual, slowed, 0.2)
    assert change.verdict == WORSE
    assert not change.agrees
    (change,) = comparison.compare(usual, again, 0.75)
    assert change.verdict == SAME


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
        "app.run(main)"
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


def test_schema_names_the_fields_of_a_row():
    fields = [field.name for field in dataclasses.fields(results.Row)]
    schema = json.loads((RESULTS / "schema.json").read_text())
    assert list(schema["properties"]["rows"]["items"]["properties"]) == fields


def test_every_committed_result_keeps_the_schema():
    schema = json.loads((RESULTS / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    documents = {path.name: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    measured = {name: document for name, document in documents.items() if "benchmark" in document}
    assert len(measured) >= 5
    for document in measured.values():
        jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    "change", [{"rows": []}, {"command": "bench"}, {"rows": [{"name": "x", "unit": "s", "repeats": 1}]}]
)
def test_schema_refuses_what_is_no_result(change):
    document = json.loads((RESULTS / "startup.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, **change}, json.loads((RESULTS / "schema.json").read_text()))


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
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_sigterm_ends_as_ctrl_c_does(tmp_path):
    """While images are drawn: what it has begun, in processes and in a temporary folder, goes with it."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--sizes=100000", "--batch_images=100000"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
    end = time.monotonic() + 60
    while not list(tmp_path.glob("*/100000/*")):
        assert time.monotonic() < end
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
    _, running = psutil.wait_procs(children, timeout=60)  # multiprocessing's resource tracker ends after its parent
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
        "app.run(main)"
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
