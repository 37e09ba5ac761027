"""A saved model holds the weights and not the optimizer; want of memory is no damage of its file."""

import keras
import pytest
import tensorflow as tf

from models.runs import saved_model


def test_saved_model_leaves_the_optimizer_to_the_checkpoint(tmp_path):
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100)])
    model.optimizer = optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    saved_model.save(model, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").stat().st_size < 2 * 4 * model.count_params()
    assert model.optimizer is optimizer


@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")], ids=repr)
def test_model_that_does_not_fit_into_memory_is_not_damaged(tmp_path, monkeypatch, error):
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: (_ for _ in ()).throw(error))
    with pytest.raises(type(error)):
        saved_model.load(tmp_path / "model.keras")
