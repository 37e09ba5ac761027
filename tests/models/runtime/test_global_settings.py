"""Keras's and TensorFlow's global settings during a call of ours, and after it."""

import keras
import pytest
import tensorflow as tf

from models import classifier
from models.config.training import TrainConfig
from models.optimizers.build import build_optimizer
from models.runtime import global_settings
from pipeline.common import errors
from tests.descriptions import CIFAR100

CHANGED = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first", "dtype_policy": "mixed_bfloat16"}
DEFAULTS = {**global_settings.KERAS_DEFAULTS, "dtype_policy": global_settings.DTYPE_POLICY}
REWRITE = "auto_mixed_precision_onednn_bfloat16"  # float32 operations become bfloat16: tensorflow/tensorflow#56791


def keras_settings() -> dict[str, object]:
    values = {name: getattr(keras.config, name)() for name in CHANGED}
    return {**values, "dtype_policy": values["dtype_policy"].name}


@pytest.fixture
def changed():
    with global_settings.defaults():  # puts them back
        tf.config.optimizer.set_jit(True)
        tf.config.optimizer.set_experimental_options({REWRITE: True})
        for name, value in CHANGED.items():
            getattr(keras.config, f"set_{name}")(value)
        yield
        tf.config.optimizer.set_experimental_options({REWRITE: False})


def test_callers_settings_are_back_after_an_error(changed):
    @global_settings.defaults()
    def fails() -> None:
        assert keras_settings() == DEFAULTS
        assert not tf.config.optimizer.get_jit()
        assert not tf.config.optimizer.get_experimental_options()[REWRITE]
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    assert keras_settings() == CHANGED
    assert tf.config.optimizer.get_jit()
    assert tf.config.optimizer.get_experimental_options()[REWRITE]


def test_callers_settings_are_back_when_the_last_of_two_threads_is_done(changed):
    first, second = global_settings.defaults(), global_settings.defaults()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert keras.config.floatx() == "float32"
    assert not tf.config.optimizer.get_experimental_options()[REWRITE]
    second.__exit__(None, None, None)
    assert keras.config.floatx() == CHANGED["floatx"]
    assert tf.config.optimizer.get_experimental_options()[REWRITE]


def test_callers_settings_reach_neither_model_nor_optimizer(changed):
    config = TrainConfig(architecture="linear", precision="float32")
    model = classifier.build(config, CIFAR100)
    optimizer = build_optimizer(config, model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    assert {variable.dtype for variable in variables if "int" not in variable.dtype} == {"float32"}
    assert model.input.dtype == "float32"


def test_other_backend_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(errors.BadArgumentError, match=r"^KERAS_BACKEND=torch: expected tensorflow.*keras\.json"):
        classifier.build(TrainConfig(architecture="linear", precision="float32"), CIFAR100)
