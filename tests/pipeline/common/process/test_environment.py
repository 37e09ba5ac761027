"""Environment variables and keras.json at the start of a binary."""

import json
import os
import sys
import warnings
from unittest import mock

import pytest

from pipeline.common import errors
from pipeline.common.process import environment


@pytest.fixture(autouse=True)
def environment_restored():
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def keras_json(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "keras.json"


def test_empty_variables_count_as_unset_but_an_empty_list_of_gpus(monkeypatch):
    """pydata/numexpr#318: `int(os.environ["OMP_NUM_THREADS"])` where a cluster sets it to nothing."""
    names = ("KERAS_BACKEND", "KERAS_HOME", "TF_NUM_INTRAOP_THREADS", "XLA_FLAGS", "CUDA_VISIBLE_DEVICES")
    for name in environment.FOLLOWED:
        monkeypatch.delenv(name, raising=False)
    for name in names:
        monkeypatch.setenv(name, "")
    environment.clean()
    assert {name for name in names if os.environ.get(name) == ""} == {"CUDA_VISIBLE_DEVICES"}
    assert environment.followed() == {"CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.parametrize(("given", "used", "followed"), [(None, "1", {}), ("", "1", {}), ("0", "0", {"X": "0"})])
def test_defaults_are_set_where_nothing_is_and_are_not_named(monkeypatch, given, used, followed):
    monkeypatch.setattr(environment, "DEFAULTS", {"X": "1"})
    monkeypatch.setattr(environment, "FOLLOWED", ("X",))
    monkeypatch.setenv("X", given or "")  # which is put back afterwards
    if given is None:
        monkeypatch.delenv("X")
    environment.clean()
    assert os.environ["X"] == used
    assert environment.followed() == followed


@pytest.mark.parametrize("name", environment.REMOVED)
def test_removed_variable_reaches_no_child_process(monkeypatch, keras_json, name):
    monkeypatch.setenv(name, "1")
    environment.clean()
    assert name not in os.environ


@pytest.mark.parametrize("name", environment.REFUSED)
def test_refused_variable_is_named_with_its_value(monkeypatch, keras_json, name):
    monkeypatch.setenv(name, "other")
    with pytest.raises(errors.BadArgumentError, match=f"^{name}=other: expected {environment.REFUSED[name][0]}"):
        environment.check()


def test_clustering_for_xla_is_off_in_binaries_and_refused_elsewhere(monkeypatch):
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit")
    with pytest.raises(errors.BadArgumentError, match=r"^TF_XLA_FLAGS=--tf_xla_auto_jit=2.*jit_compile"):
        environment.check()
    environment.clean()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit --tf_xla_auto_jit=-1"
    environment.clean()  # in a child process
    assert os.environ["TF_XLA_FLAGS"].count("=-1") == 1


@pytest.mark.parametrize("value", ["x", "-1", "1.5"])
def test_threads_are_a_whole_number_or_unset_in_a_binary(monkeypatch, value):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", value)
    with pytest.raises(errors.BadArgumentError, match=f"^TF_NUM_INTRAOP_THREADS={value}: expected a whole number"):
        environment.check()
    environment.clean()
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ
    environment.check()


def test_folders_of_keras_and_matplotlib_are_paths_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "~/k")
    environment.check()
    assert os.environ["KERAS_HOME"] == str(tmp_path / "k")
    monkeypatch.setenv("KERAS_HOME", "gs://bucket/k")
    with pytest.raises(errors.BadArgumentError, match=r"^KERAS_HOME=gs://bucket/k: "):
        environment.check()


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"floatx": "bfloat16"}, ["floatx='bfloat16'", "float16 or float32 or float64"]),
        ({"floatx": ["float16"]}, ["floatx=['float16']"]),
        ({"epsilon": 1}, ["epsilon=1", "decimal point"]),
        ({"image_data_format": "nhwc"}, ["image_data_format='nhwc'", "channels_first or channels_last"]),
        ({"nnx_enabled": True}, ["nnx_enabled=True"]),
        ([], ["JSON object", "[]"]),
    ],
)
def test_keras_json_that_keras_cannot_read_is_named(keras_json, settings, names):
    keras_json.write_text(json.dumps(settings))
    with pytest.raises(errors.BadArgumentError) as raised:
        environment.check_keras_json()
    assert str(raised.value).startswith(f"{keras_json}: ")
    assert all(name in str(raised.value) for name in names)


def test_keras_json_that_is_nested_too_deeply_is_named(keras_json):
    keras_json.write_text("[" * 100_000)
    with pytest.raises(errors.BadArgumentError, match=rf"^{keras_json}: .*too deeply"):
        environment.check_keras_json()


@pytest.mark.parametrize("text", ['{"floatx": "float64", "epsilon": 0.1, "backend": "torch"}', "no JSON", "\xff", None])
def test_keras_json_of_another_project_is_overridden(monkeypatch, keras_json, text):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if text is not None:
        keras_json.write_text(text, encoding="latin-1")
    environment.clean()
    environment.check_keras_json()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_warnings_as_errors_are_shown_instead(monkeypatch, keras_json):
    monkeypatch.setattr(sys, "warnoptions", ["error"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        environment.clean()
        with pytest.warns(DeprecationWarning, match="old"):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert sys.warnoptions == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TF_PLUGGABLE_DEVICE_LIBRARY_PATH", "/dev/null/none", "does not exist"),
        ("XLA_FLAGS", "--no_flag_of_xla", "nknown flag"),
    ],
)
def test_values_with_which_tensorflow_ends_are_named(monkeypatch, name, value, reason):
    """tensorflow/tensorflow#76717: an unknown flag crashes the process."""
    monkeypatch.setenv(name, value)
    with pytest.raises(errors.BadArgumentError, match=f"^{name}={value}: .*{reason}"):
        environment.check_abort()
