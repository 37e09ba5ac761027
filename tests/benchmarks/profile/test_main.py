"""The binary: its rows, and what it refuses."""

import json
import re
from collections import Counter

import pytest

from benchmarks.profile import __main__ as binary
from benchmarks.profile import copying, rows
from benchmarks.profile.parts import PARTS
from benchmarks.profile.trace import Times
from benchmarks.profile.work import Work
from models.runtime import device
from tests.binaries import call, call_here

FIELDS = {"recipe": "tiny", "precision": "float32", "batch_size": 8}


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--recipes=quick,wrn_16_5", "recipes='wrn_16_5': expected some of .*did you mean 'wrn_16_4'"),
        ("--recipes=quick,quick", "recipes=quick,quick: expected at least one, and each one once"),
    ],
)
def test_binary_refuses_in_one_line(flag, message):
    done = call("benchmarks.profile", flag)
    assert done.returncode == 2
    assert re.match(f"error: {message}", done.stderr)
    assert done.stderr.count("\n") == 1


def test_quick_form_writes_the_rows(tiny_data_dir, tmp_path, monkeypatch, capsys):
    flags = ("--quick", "--recipes=quick", "--precision=float32", "--dataset=shapes100_tiny")
    flags += (f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    found = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    assert {
        "ours/ceiling/copy_bandwidth",
        "ours/ceiling/float32",
        "ours/quick/float32/step",
        "ours/quick/float32/operations",
    } < set(found)
    parts = {row["metric"]: row for row in found.values() if row["kind"] == "part"}
    assert {"augmentation", "forward", "input_gradients", "kernel_gradients", "optimizer", "heads"} <= set(parts)
    assert list(parts) == [part for part in PARTS if part in parts]
    assert 0 < sum(row["median"] for row in parts.values()) <= 1.01 * found["ours/quick/float32/operations"]["median"]
    for part in ("forward", "input_gradients", "kernel_gradients"):
        assert min(parts[part][key] for key in ("tflops", "ceiling_share", "intensity", "gib")) > 0
    assert "tflops" not in parts["optimizer"]  # of `quick`, which multiplies nothing
    assert "ours/quick/float32/forward: " in capsys.readouterr().out


def test_gpu_is_refused(tiny_data_dir, monkeypatch, capsys):
    monkeypatch.setattr(device, "has_gpu", lambda: True)
    flags = ("--quick", "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 1
    assert "CUDA_VISIBLE_DEVICES=-1" in capsys.readouterr().err


def test_rows_are_a_steps():
    works = {"forward": Work(Counter(float32=3_000_000_000), 2**30), "other": Work(), "heads": Work(Counter(), 2**20)}
    profiles = [Times({"forward": 2e10, "other": 4e9}, 30_000_000_000), Times({"forward": 4e10}, 50_000_000_000)]
    operations, forward, other = rows.part_rows(FIELDS, profiles, 2, works, {"forward": 0.5})
    assert (operations.name, operations.median, operations.repeats) == ("ours/tiny/float32/operations", 20.0, 2)
    assert (forward.name, forward.median, forward.min, forward.max) == ("ours/tiny/float32/forward", 15.0, 10.0, 20.0)
    assert (forward.tflops, forward.ceiling_share) == (0.4, 0.8)  # 6 GFLOP in 15 ms
    assert (forward.gib, forward.intensity) == (1.0, 5.59)
    assert (other.name, other.median, other.min, other.tflops) == ("ours/tiny/float32/other", 1.0, 0.0, None)


def test_copy_rate_counts_what_is_read_and_written():
    timed = copying.measure(threads=2, repeats=3, num_mib=1)
    assert timed.name == "ours/ceiling/copy_bandwidth"
    assert len(timed.rates) == 3
    assert min(timed.rates) > 0
