"""A saved model holds the weights and not the optimizer."""

import keras

from models.runs import saved_model


def test_saved_model_leaves_the_optimizer_to_the_checkpoint(tmp_path):
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100)])
    model.optimizer = optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    saved_model.save(model, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").stat().st_size < 2 * 4 * model.count_params()
    assert model.optimizer is optimizer
