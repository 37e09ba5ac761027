"""The binary draws every page of a checkout, or none."""

import shutil
import subprocess
import sys

from benchmarks.publish import blocks
from tests.conftest import ROOT

FIGURES = ("docs/results/memory.png", str(blocks.CHART))


def draw(checkout):
    command = [sys.executable, "-m", "benchmarks.publish.tables", f"--checkout={checkout}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_pages_and_plots_are_drawn_again_without_a_change(tmp_path):
    shutil.copytree(ROOT / blocks.RESULTS, tmp_path / blocks.RESULTS)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    for figure in FIGURES:
        (tmp_path / figure).unlink()
    done = draw(tmp_path)
    assert done.returncode == 0, done.stderr
    assert {f"written: {figure}" for figure in (*FIGURES, blocks.CORRUPTIONS)} < set(done.stdout.splitlines())
    for page in (*blocks.PAGES, *FIGURES):
        assert (tmp_path / page).read_bytes() == (ROOT / page).read_bytes()


def test_missing_page_is_one_line(tmp_path):
    done = draw(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: checkout={tmp_path}")
    assert "README.md" in done.stderr
    assert len(done.stderr.splitlines()) == 1
