"""The binary: its rows, and what it refuses."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.harness import training_steps
from benchmarks.train_step.cases import Effort, Recipe
from tests.conftest import ROOT

SMALL = {"architecture": "resnet9", "batch_size": 8, "augmentation": "none", "learning_rate": 0.5}


@pytest.fixture(scope="module")
def source(tiny_data_dir) -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training_steps.RECIPES, "small", SMALL)
        yield {"dataset": "shapes100_tiny", "data_dir": tiny_data_dir}


@pytest.fixture(scope="module")
def small(source) -> Recipe:
    return Recipe("small", source, ["float32"], Effort(2, 1, ("eager", "compiled"), ("float32",)))


def call(*flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.train_step", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--recipes=quick,wrn_16_5", "recipes='wrn_16_5': expected some of .*did you mean 'wrn_16_4'"),
        ("--recipes=quick,quick", "recipes=quick,quick: expected at least one, and each one once"),
        ("--precisions=bfloat16", "precision='bfloat16': expected one of auto"),
    ],
)
def test_binary_refuses_in_one_line(flag, message):
    done = call(flag)
    assert done.returncode == 2
    assert re.match(f"error: {message}", done.stderr)
    assert done.stderr.count("\n") == 1


def test_binary_writes_the_rows(tiny_data_dir, tmp_path):
    source = ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    done = call("--quick", "--nopeers", "--recipes=linear", "--precisions=float32", "--repeats=1", *source)
    assert done.returncode == 0, done.stderr
    assert "ours/linear/float32/waits_for_data: the device waits for data" in done.stdout
    document = json.loads((tmp_path / "out.json").read_text())
    assert [row["name"] for row in document["rows"]] == [
        "ours/ceiling/float32",
        "ours/linear/float32",
        "ours/linear/float32/one_batch",
        "ours/linear/float32/waits_for_data",
    ]
    assert document["rows"][0]["unit"] == "GFLOP/s"


# With PyTorch. In its own process, as in the benchmark: what it loads may not share one with TensorFlow.
