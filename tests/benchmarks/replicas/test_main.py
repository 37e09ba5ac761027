"""The binary: its small form, with two processes."""

import json

from benchmarks.replicas import __main__ as binary
from tests.binaries import call_here


def test_small_form_keeps_measured_and_projected_rates_apart(tiny_data_dir, tmp_path, monkeypatch, capsys):
    flags = ("--quick", "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    measured = [row["name"] for row in rows if not row.get("predicted")]
    assert measured == [
        "ours/measured/linear/none/1",
        "ours/measured/linear/mirrored/1",
        "ours/measured/linear/multi_worker/2",
        "ours/measured/input",
    ]
    projected = [row["name"] for row in rows if row.get("predicted")]
    assert projected
    assert all(name.startswith("ours/projected/linear/") for name in projected)
    printed = capsys.readouterr().out
    assert "assumed of an A100" in printed
    assert printed.count("all-reduce") == len(projected)
