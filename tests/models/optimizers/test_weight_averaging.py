"""Slow weights: what they are after each step, that they are what is evaluated, and that nothing of them is lost."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.layers.batch_norm import FusedBatchNormalization
from models.optimizers import weight_averaging
from models.runs import saved_model
from models.runs.folder import open_locked
from models.training import loop
from pipeline.common import errors
from pipeline.data_config import DataConfig


def one_weight() -> keras.Model:
    image = keras.Input((1,))
    model = keras.Model(image, keras.layers.Dense(1, use_bias=False)(image))
    model.layers[-1].kernel.assign([[1.0]])
    return model


def followed(config: TrainConfig, values: list[float], total_steps: int = 10) -> tuple[list[float], list[float]]:
    """The slow and the fast weight after each step, which sets the fast one."""
    model = one_weight()
    slow = weight_averaging.build(model, config, total_steps)
    update = tf.function(slow.update)
    slow_after, fast_after = [], []
    for number, value in enumerate(values):
        model.layers[-1].kernel.assign([[value]])
        update(tf.constant(number, tf.int64))
        slow_after.append(float(slow.variables[0][0, 0]))
        fast_after.append(float(model.layers[-1].kernel[0, 0]))
    return slow_after, fast_after


def test_moving_average_follows_and_leaves_the_model_alone():
    slow, fast = followed(TrainConfig(ema_decay=0.25), [2.0, 3.0, 3.0])
    first = 0.1 * 1.0 + 0.9 * 2.0  # young: (1 + 0) / (10 + 0)
    second = 2 / 11 * first + 9 / 11 * 3.0
    assert slow == pytest.approx([first, second, 0.25 * second + 0.75 * 3.0])
    assert fast == [2.0, 3.0, 3.0]


def test_lookahead_pulls_back_every_few_steps():
    slow, fast = followed(TrainConfig(lookahead_steps=2), [2.0, 3.0, 5.0, 7.0], total_steps=4)
    decays = [0.95**2 * 0.5**3, 0.95**2 * 1.0]
    first = decays[0] * 1.0 + (1 - decays[0]) * 3.0
    second = decays[1] * first + (1 - decays[1]) * 7.0
    assert slow == pytest.approx([1.0, first, first, second], rel=1e-5)
    assert fast == pytest.approx([2.0, first, 5.0, second], rel=1e-5)


def test_slow_weights_are_in_place_for_a_while():
    model = one_weight()
    slow = weight_averaging.build(model, TrainConfig(ema_decay=0.5), 10)
    model.layers[-1].kernel.assign([[0.1]])
    with slow.in_place():
        assert float(model.layers[-1].kernel[0, 0]) == 1.0
    np.testing.assert_array_equal(model.layers[-1].kernel, np.float32([[0.1]]))
    slow.reset()
    np.testing.assert_array_equal(slow.variables[0], np.float32([[0.1]]))


def test_no_average_is_asked_for():
    assert weight_averaging.build(one_weight(), TrainConfig(), 10) is None
    with pytest.raises(errors.BadArgumentError, match="lookahead_steps=5: set only one of them"):
        TrainConfig(ema_decay=0.9, lookahead_steps=5)


@pytest.fixture
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


def linear(**values) -> TrainConfig:
    plain = {"architecture": "linear", "precision": "float32", "schedule": "constant", "learning_rate": 0.01}
    return TrainConfig(**{**plain, "epochs": 2.0, **values})


@pytest.mark.parametrize("values", [{"ema_decay": 0.9}, {"lookahead_steps": 4}])
def test_run_answers_with_its_slow_weights_and_goes_on_with_them(data, tmp_path, values):
    plain = loop.train(data, linear(), verbose=0)
    whole = loop.train(data, linear(**values), verbose=0)
    assert any(
        (one != two).any() for one, two in zip(plain.model.get_weights(), whole.model.get_weights(), strict=True)
    )

    class Cut(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    config = linear(**values)
    with open_locked(tmp_path / "run", {**data.as_dict(), **config.as_dict()}, {}) as run:
        cut_after_epoch = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: epoch and Cut().on_train_batch_end(0)
        )
        with pytest.raises(KeyboardInterrupt):
            loop.train(data, config, run=run, callbacks=[cut_after_epoch], verbose=0)
        continued = loop.train(data, config, run=run, verbose=0)
        saved = saved_model.load(run.model)
    for one, two, three in zip(
        whole.model.get_weights(), continued.model.get_weights(), saved.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    assert (
        continued.report["fine_accuracy"] == whole.report["fine_accuracy"] == whole.rows[-1]["validation_fine_accuracy"]
    )


def test_early_stopping_keeps_the_slow_weights_that_it_saw_evaluated(data):
    class Worsen(keras.callbacks.Callback):
        """Spoil the weights after the first epoch, so that the first stays the best."""

        def on_epoch_begin(self, epoch, logs=None):
            if epoch > 0:
                for variable in self.model.trainable_variables:
                    variable.assign(variable * -3.0)

    stopping = keras.callbacks.EarlyStopping("val_loss", mode="min", patience=2, restore_best_weights=True)
    config = linear(ema_decay=0.9, epochs=4.0)
    trained = loop.train(data, config, callbacks=[Worsen(), stopping], verbose=0)
    assert stopping.best_epoch == 0
    assert trained.report["loss"] == pytest.approx(trained.rows[0]["validation_loss"], rel=1e-6)
    assert trained.report["loss"] != trained.rows[-1]["validation_loss"]


def test_lookahead_longer_than_the_run_loses_nothing(data):
    config = linear(lookahead_steps=1000)
    ahead = loop.train(data, config, verbose=0)
    plain = loop.train(data, dataclasses.replace(config, lookahead_steps=0), verbose=0)
    for one, two in zip(ahead.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_statistics_of_normalisation_are_averaged_too():
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, FusedBatchNormalization()(images))
    slow = weight_averaging.build(model, TrainConfig(ema_decay=0.5), 10)
    model.layers[-1].moving_mean.assign([1.0, 2.0, 3.0])
    tf.function(slow.update)(tf.constant(100, tf.int64))
    with slow.in_place():
        np.testing.assert_allclose(model.layers[-1].moving_mean, [0.5, 1.0, 1.5])


def test_constant_weights_average_to_themselves(data):
    config = linear(ema_decay=0.9, learning_rate=0.0, weight_decay=0.0)
    averaged = loop.train(data, config, verbose=0)
    plain = loop.train(data, dataclasses.replace(config, ema_decay=0.0), verbose=0)
    for one, two in zip(averaged.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)
