"""Keras's global settings during a call of ours, and after it."""

import keras
import pytest

from models import classifier
from models.config.training import TrainConfig
from models.optimizers.build import build_optimizer
from models.runtime import keras_globals
from pipeline.common import errors

CHANGED = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first", "dtype_policy": "mixed_bfloat16"}


def global_settings() -> dict[str, object]:
    values = {name: getattr(keras.config, name)() for name in CHANGED}
    return {**values, "dtype_policy": values["dtype_policy"].name}


@pytest.fixture
def changed():
    with keras_globals.defaults():  # puts them back
        for name, value in CHANGED.items():
            getattr(keras.config, f"set_{name}")(value)
        yield


def test_callers_settings_are_back_after_an_error(changed):
    @keras_globals.defaults()
    def fails() -> None:
        assert global_settings() == keras_globals.DEFAULTS
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    assert global_settings() == CHANGED


def test_callers_settings_reach_neither_model_nor_optimizer(changed):
    config = TrainConfig(architecture="linear", precision="float32")
    model = classifier.build(config)
    optimizer = build_optimizer(config, model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    assert {variable.dtype for variable in variables if "int" not in variable.dtype} == {"float32"}
    assert model.input.dtype == "float32"


def test_other_backend_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(errors.BadArgumentError, match=r"^KERAS_BACKEND=torch: expected tensorflow.*keras\.json"):
        classifier.build(TrainConfig(architecture="linear", precision="float32"))
