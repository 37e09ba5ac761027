"""The precision that suits a machine, and the scope in which it holds."""

import keras
import pytest
import tensorflow as tf

from models.runtime import precision


@pytest.mark.parametrize(
    ("gpus", "capability", "flags", "expected"),
    [
        ([], None, "fpu amx_bf16", "mixed_bfloat16"),
        ([], None, "fpu avx512_bf16", "mixed_bfloat16"),
        ([], None, "fpu avx512f", "float32"),
        (["gpu"], (8, 0), "fpu", "mixed_bfloat16"),
        (["gpu"], (7, 5), "fpu amx_bf16", "mixed_float16"),
    ],
)
def test_auto_precision_follows_the_hardware(monkeypatch, gpus, capability, flags, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset(flags.split()))
    assert precision.resolve("auto") == expected
    assert precision.resolve("mixed_float16") == "mixed_float16"


def test_cpu_flags_are_read_and_may_be_missing(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: A\nflags\t\t: fpu amx_bf16\n")
    assert precision.cpu_flags(cpuinfo) == {"fpu", "amx_bf16"}
    assert precision.cpu_flags(tmp_path / "none") == frozenset()


def test_scope_restores_the_policy_after_an_error():
    with pytest.raises(ValueError, match="inside"), precision.scope("mixed_bfloat16"):
        raise ValueError("inside")
    assert keras.config.dtype_policy().name == "float32"
