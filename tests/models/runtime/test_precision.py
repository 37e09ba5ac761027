"""The precision that suits a machine, and the scope in which it holds."""

import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.runtime import precision
from models.runtime.device import cpu_flags
from pipeline.common import errors
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def new_process():
    """Each test tries bfloat16 anew."""
    cached = precision._try_bfloat16, precision._training_step
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.mark.parametrize(("capability", "expected"), [((8, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16")])
def test_auto_precision_follows_the_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert precision.choose("auto").policy == expected
    assert ".".join(map(str, capability)) in precision.choose("auto").reason


@pytest.mark.parametrize(
    ("outcome", "expected", "reason"),
    [
        (0.4, "mixed_bfloat16", "less than"),
        (1.9, "mixed_bfloat16", "less than"),  # a busy machine
        (2.0, "float32", "at least"),
        (16.0, "float32", "at least"),
        (tf.errors.AbortedError(None, None, "could not create a primitive"), "float32", "AbortedError"),
    ],
)
def test_auto_precision_is_tried_once_a_process(monkeypatch, outcome, expected, reason):
    tried = []

    def training_step(dtype):
        tried.append(dtype)
        if dtype != "float32" and isinstance(outcome, Exception):
            raise outcome
        return lambda: None

    monkeypatch.setattr(precision, "_training_step", training_step)
    monkeypatch.setattr(precision, "_fastest_ratio", lambda step, reference: outcome)
    for _ in range(2):
        assert precision.choose("auto").policy == expected
        assert reason in precision.choose("auto").reason
    assert tried[1:] == ([] if isinstance(outcome, Exception) else ["bfloat16", "float32"])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_given_precision_that_raises_is_one_line(monkeypatch, policy):
    """tensorflow/tensorflow#57749: the recommended cap made a training in half precision end with a stack trace."""

    def training_step(dtype):
        raise tf.errors.AbortedError(None, None, "could not create a primitive")

    assert precision.choose(policy) == precision.Choice(policy, "given")
    monkeypatch.setattr(precision, "_training_step", training_step)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    with pytest.raises(errors.BadArgumentError, match=f"^precision={policy}: .*AbortedError.*ONEDNN_MAX_CPU_ISA=AVX2"):
        precision.choose(policy)
    assert precision.choose("float32").policy == "float32"
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    assert precision.choose(policy).policy == policy


def test_ratio_is_of_the_shortest_processor_times(monkeypatch):
    passed = iter([0.0, 0.1, 0.2, 0.4])  # the first call, then after each round
    used = iter([0.0, 3.0, 3.0, 5.0, 5.0, 6.0, 6.0, 11.0, 11.0, 14.0, 14.0, 16.0])  # before and after each step
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(passed))
    monkeypatch.setattr(precision.time, "process_time", lambda: next(used))
    assert precision._fastest_ratio(lambda: None, lambda: None) == 1.0 / 2.0


def chosen(**settings: str) -> list[str]:
    """What a process of its own chooses under environment variables: the policy and the reason."""
    code = "from models.runtime import precision as p; c = p.choose('auto'); print(c.policy, c.reason, sep='\\n')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-2:]


def test_auto_precision_is_float32_where_onednn_is_off():
    """tensorflow/tensorflow#45441, #59050: mixed precision took 60 to 500 times as long, without a word."""
    assert chosen(TF_ENABLE_ONEDNN_OPTS="0")[0] == "float32"


@pytest.mark.skipif("avx512_bf16" not in cpu_flags(), reason="needs a processor that oneDNN computes bfloat16 on")
def test_auto_precision_is_float32_where_instructions_are_capped():
    """tensorflow/tensorflow#57749 recommends the cap, where bfloat16 raises or even ends the process."""
    policy, reason = chosen(ONEDNN_MAX_CPU_ISA="AVX2")
    assert policy == "float32"
    assert "AbortedError" in reason


@pytest.mark.skipif("avx512_bf16" not in cpu_flags(), reason="needs a processor that multiplies bfloat16")
def test_auto_precision_is_bfloat16_on_a_processor_that_multiplies_it():
    assert precision.resolve("auto") == "mixed_bfloat16"


def test_trial_changes_no_state_of_the_caller():
    def draw() -> float:
        return float(tf.random.uniform([]))

    def state() -> tuple[object, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), keras.config.dtype_policy().name

    tf.random.set_seed(7)
    expected = [draw(), draw()]
    tf.random.set_seed(7)
    actual, name, before = [draw()], keras.layers.Conv2D(1, 1).name, state()
    precision.choose("auto")
    assert state() == before
    assert [*actual, draw()] == expected
    number = name.removeprefix("conv2d").removeprefix("_") or "0"
    assert keras.layers.Conv2D(1, 1).name == f"conv2d_{int(number) + 1}"


def test_scope_restores_the_policy_after_an_error():
    with pytest.raises(ValueError, match="inside"), precision.scope("mixed_bfloat16"):
        raise ValueError("inside")
    assert keras.config.dtype_policy().name == "float32"
