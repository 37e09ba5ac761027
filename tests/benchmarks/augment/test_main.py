"""The binary: its rows, and what it refuses."""

import json

from benchmarks.augment import __main__ as binary
from tests.binaries import call, call_here


def test_binary_refuses_an_unknown_set_in_one_line(tiny_data_dir):
    done = call("benchmarks.augment", "--sets=studdy", f"--data_dir={tiny_data_dir}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: sets='studdy': expected some of none, flip_shift, ")
    assert "Traceback" not in done.stderr


def test_binary_writes_the_rows_of_the_sets_it_was_given(tiny_data_dir, tmp_path, monkeypatch):
    flags = ("--quick", "--repeats=1", "--batch_size=20", "--sets=flip_shift,Cutout", "--nostep")
    flags += ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["benchmark"] == "augment"
    assert [row["name"] for row in document["rows"]] == [
        "ours/flip_shift",
        "peer/keras_layers/flip_shift",
        "ours/Cutout",
        "peer/keras_layers/Cutout",
    ]
    assert {row["repeats"] for row in document["rows"]} == {1}
