"""The binary: its small cases on a CPU, and its refusal without a GPU."""

import json

import pytest
import tensorflow as tf

from benchmarks.gpu import __main__ as binary
from tests.binaries import call_here


def test_without_a_gpu_it_ends_in_one_line_before_data_are_prepared(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tmp_path / 'data'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 1
    assert capsys.readouterr().err.startswith("error: no GPU: TensorFlow finds none")
    assert not (tmp_path / "data").exists()


def test_small_cases_run_on_a_cpu(tiny_data_dir, tmp_path, monkeypatch):
    flags = ("--quick", "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    steps = "ours/step/linear/{}/jit_{}/{}_a_call/{}".format
    expected = {steps("mixed_float16", xla, count, "memory") for xla in ("off", "on") for count in (1, 8)}
    expected |= {steps("mixed_float16", "on", 1, feed) for feed in ("device", "one_batch")}
    expected |= {f"ours/waits_for_data/linear/{cache}" for cache in ("memory", "device")}
    expected |= {f"ours/train/linear/device/{metric}" for metric in ("seconds", "accuracy", "host_mib")}
    assert set(rows) - {"ours/train/linear/device/device_mib"} == expected | {"ours/augment/flip_shift"}
    assert rows[steps("mixed_float16", "on", 8, "memory")]["ratio_of"][1] == steps("mixed_float16", "on", 1, "memory")


@pytest.mark.parametrize("flag", ["--preset=tiny", "--repeats=2"])
def test_quick_has_its_own_plan(monkeypatch, capsys, flag):
    assert call_here(monkeypatch, binary.main, binary.flags, "--quick", flag) == 2
    name = flag.partition("=")[0].removeprefix("--")
    assert capsys.readouterr().err.startswith(f"error: {name} and quick")
