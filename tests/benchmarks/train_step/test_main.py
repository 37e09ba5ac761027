"""The binary: its rows, and what it refuses."""

import json
import re

import pytest

from benchmarks.train_step import __main__ as binary
from tests.binaries import call, call_here


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--recipes=quick,wrn_16_5", "recipes='wrn_16_5': expected some of .*did you mean 'wrn_16_4'"),
        ("--recipes=quick,quick", "recipes=quick,quick: expected at least one, and each one once"),
        ("--precisions=bfloat16", "precisions='bfloat16': expected some of auto"),
    ],
)
def test_binary_refuses_in_one_line(flag, message):
    done = call("benchmarks.train_step", flag)
    assert done.returncode == 2
    assert re.match(f"error: {message}", done.stderr)
    assert done.stderr.count("\n") == 1


def test_binary_writes_the_rows(tiny_data_dir, tmp_path, monkeypatch, capsys):
    flags = ("--quick", "--nopeers", "--recipes=linear", "--precisions=float32", "--repeats=1")
    flags += ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    assert "ours/linear/float32/waits_for_data: the device waits for data" in capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    assert [row["name"] for row in document["rows"]] == [
        "ours/ceiling/float32",
        "ours/linear/float32",
        "ours/linear/float32/cache_device",
        "ours/linear/float32/one_batch",
        "ours/linear/float32/waits_for_data",
    ]
    assert document["rows"][0]["unit"] == "GFLOP/s"
