"""Keras Tuner throws a global policy away before it builds; what builds inside a scope cannot lose its own."""

import keras
import keras_tuner

from models import classifier
from models.config.training import TrainConfig
from models.runtime import precision
from pipeline.data_config import SourceConfig
from tests.descriptions import CIFAR100
from tuning.sessions import session
from tuning.sessions.config import SessionConfig
from tuning.sessions.search_space import Space


class Recorder(keras_tuner.HyperModel):
    """Builds by `make`, and notes the policy that each model computes in."""

    def __init__(self, make):
        super().__init__()
        self.make, self.policies = make, []

    def build(self, hp):
        hp.Choice("units", [4, 8])
        model = self.make()
        model.compile("sgd", "mse")
        self.policies.append(precision.policy_name(model))
        return model


def policies(make, tmp_path) -> list[str]:
    """Of the build that looks for hyperparameters, and of two trials'."""
    recorder = Recorder(make)
    tuner = keras_tuner.RandomSearch(recorder, keras_tuner.Objective("loss", "min"), 2, directory=tmp_path)
    for _ in range(2):
        tuner._try_build(tuner.oracle.get_space())
    return recorder.policies


def small() -> keras.Model:
    images = keras.Input((8, 8, 3))
    return keras.Model(images, keras.layers.Dense(2, dtype="float32")(keras.layers.Conv2D(4, 3)(images)))


def test_stock_keras_tuner_loses_a_global_policy_after_the_first_build(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert policies(small, tmp_path) == ["mixed_bfloat16", "float32", "float32"]
    finally:
        keras.config.set_dtype_policy("float32")


def test_ours_keeps_its_policy_in_every_build(tmp_path):
    config = TrainConfig(precision="mixed_bfloat16")
    assert policies(lambda: classifier.build(config, CIFAR100), tmp_path) == ["mixed_bfloat16"] * 3


def test_policy_is_read_from_the_layers_that_have_weights():
    assert precision.policy_name(classifier.build(TrainConfig(precision="float32"), CIFAR100)) == "float32"
    assert precision.policy_name(classifier.build(TrainConfig(precision="mixed_float16"), CIFAR100)) == "mixed_float16"
    assert (
        precision.policy_name(
            classifier.build(TrainConfig(precision="mixed_bfloat16", architecture="linear"), CIFAR100)
        )
        == "float32"
    )


def test_session_keeps_the_precision_that_it_began_with(tmp_path):
    assert session.begun_precision(tmp_path, "auto") == "auto"
    space = Space("mine", lambda hp: {"learning_rate": hp.Choice("learning_rate", [0.1, 0.2])}, {"preset": "linear"})
    config = SessionConfig(space="mine", tuner="random", precision="mixed_bfloat16")
    with session.open_session(tmp_path, config, space, SourceConfig(dataset="shapes100_tiny")):
        pass
    assert session.begun_precision(tmp_path, "auto") == "mixed_bfloat16"
    assert session.begun_precision(tmp_path, "float32") == "float32"
