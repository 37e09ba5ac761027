"""Committed results are printed again; what is none is one line."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def shown(*flags):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.show", *flags], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_every_committed_result_of_a_benchmark_is_printed():
    code, stdout, stderr = shown()
    assert code == 0, stderr
    documents = [json.loads(path.read_text()) for path in (ROOT / "benchmarks" / "results").glob("*.json")]
    measured = [document for document in documents if "benchmark" in document]
    assert len(measured) >= 3
    for document in measured:
        assert f"  command: {document['command']}\n" in stdout
        assert all(f"{row['ratio']:.2f}x = " in stdout for row in document["rows"] if "ratio" in row)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"benchmark": "x", "rows": []}'])
def test_what_is_no_result_is_one_line(tmp_path, content):
    path = tmp_path / "other.json"
    if content is not None:
        path.write_text(content)
    code, stdout, stderr = shown(f"--files={path}")
    assert (code, stdout) == (2, "")
    assert stderr.startswith(f"error: files: {path}: ")
    assert stderr.count("\n") == 1
