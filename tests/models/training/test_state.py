"""A run that is cut goes on from its checkpoint, to the last bit; its saved model does not augment."""

import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.runs import checkpoints, saved_model
from models.runs.folder import open_locked
from models.runtime import precision
from models.training import loop
from pipeline.common import errors
from pipeline.data_config import DataConfig
from tests.models.training.linear_runs import assert_same, linear, timeless, weights


def test_long_epoch_is_checkpointed_within(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    steps = []
    monkeypatch.setattr(checkpoints, "save", lambda path, variables, progress: steps.append(progress.step))
    with open_locked(str(tmp_path / "run"), {}, {}) as run:
        loop.train(data, linear(epochs=1.0), run=run, verbose=0)
    assert steps == [*range(1, 16), 15, 15]  # each step, the epoch's end, the run's end


@pytest.fixture(scope="module")
def whole(data) -> loop.TrainResult:
    return loop.train(data, linear(epochs=2.0), verbose=0)


@pytest.mark.parametrize(
    ("cut_at", "is_damaged", "cache"),
    [(7, False, "memory"), (15, False, "memory"), (22, False, "memory"), (22, True, "memory"), (22, False, "device")],
)
def test_cut_run_goes_on_and_ends_as_if_it_had_not_been_cut(data, whole, tmp_path, cut_at, is_damaged, cache):
    data, config = data.replace(cache=cache), linear(epochs=2.0)
    folder = str(tmp_path / "run")
    identity = {"seed": 0}

    class Interrupt(keras.callbacks.Callback):
        """Ask to stop after a number of steps, as Ctrl-C does."""

        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            import os
            import signal

            self.steps += 1
            if self.steps == cut_at:
                os.kill(os.getpid(), signal.SIGINT)

    with (
        open_locked(folder, identity, identity) as run,
        pytest.raises(errors.InterruptedRunError, match=f"step {cut_at} of 30"),
    ):
        loop.train(data, config, run=run, callbacks=[Interrupt()], verbose=0)
    if is_damaged:  # the run goes on from the checkpoint of step 15
        run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:-1])
    with open_locked(folder, identity, identity) as run:
        resumed = loop.train(data, config, run=run, verbose=0)
        assert run.is_finished
        assert run.rows() == resumed.rows
        assert_same(saved_model.load(run.model).get_weights(), weights(resumed))
    assert_same(weights(resumed), weights(whole))
    assert timeless(resumed.rows) == timeless(whole.rows)
    assert resumed.report["steps"] == 30


def test_run_keeps_the_precision_that_it_began_with_and_why(data, tmp_path, monkeypatch):
    config, reason = linear(epochs=1.0, precision="auto"), "bfloat16 raised"
    monkeypatch.setattr(precision, "_try_bfloat16", lambda: precision.Choice("float32", reason))
    with open_locked(str(tmp_path), {"precision": "float32"}, {}) as run:
        assert loop.train(data, config, run=run, verbose=0).report["precision_reason"] == reason
        (tmp_path / "report.json").unlink()
        monkeypatch.setattr(precision, "_try_bfloat16", lambda: pytest.fail("tried again"))
        assert loop.train(data, config, run=run, verbose=0).report["precision_reason"] == reason


def test_run_killed_between_its_last_checkpoint_and_its_report_reports(data, tmp_path):
    config, identity = linear(epochs=1.0), {"seed": 0}
    with open_locked(str(tmp_path), identity, identity) as run:
        first = loop.train(data, config, run=run, verbose=0)
        (tmp_path / "report.json").unlink()
        (tmp_path / "model.keras").unlink()
        again = loop.train(data, config, run=run, verbose=0)
        assert run.is_finished
    assert again.report["fine_accuracy"] == first.report["fine_accuracy"]
    assert again.report["train_seconds"] == first.report["train_seconds"]
    assert_same(weights(again), weights(first))


def test_saved_and_exported_models_do_not_augment(data, tmp_path):
    augmented = DataConfig(**{**data.as_dict(), "augmentation": "original", "batch_size": 50})
    with open_locked(str(tmp_path / "run"), {"seed": 0}, {"seed": 0}) as run:
        trained = loop.train(augmented, linear(max_steps=2), run=run, verbose=0)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    expected = trained.model(images)["fine"].numpy()
    loaded = keras.saving.load_model(tmp_path / "run" / "model.keras")
    trained.model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for _ in range(2):
        np.testing.assert_array_equal(loaded(images)["fine"], expected)
        np.testing.assert_allclose(exported.serve(images.astype(np.float32))["fine"], expected, rtol=1e-5, atol=1e-5)
    assert not random_operations(exported)
    augmenting = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.RandomFlip()])
    augmenting.export(tmp_path / "augmenting", verbose=False)
    assert random_operations(tf.saved_model.load(tmp_path / "augmenting"))  # so they would be seen


def random_operations(exported) -> set[str]:
    graph = exported.signatures["serving_default"].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return {node.op for node in nodes if "Random" in node.op}


def test_whitening_is_computed_from_the_training_images_and_kept_when_a_run_goes_on(data, tmp_path):
    small = {"architecture": "speedrun", "widths": "8,8,8", "bottlenecks": "8,8,8", "optimizer": "muon"}
    config = TrainConfig(precision="float32", epochs=1.0, **small)

    def stem(trained: loop.TrainResult) -> np.ndarray:
        return trained.model.get_layer("whitening").get_weights()[0]

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                os.kill(os.getpid(), signal.SIGINT)

    whole = loop.train(data, config, verbose=0)
    identity = {"seed": 0}
    with open_locked(str(tmp_path), identity, identity) as run, pytest.raises(errors.InterruptedRunError):
        loop.train(data, config, run=run, callbacks=[Stop()], verbose=0)
    with open_locked(str(tmp_path), identity, identity) as run:
        resumed = loop.train(data, config, run=run, verbose=0)
    assert_same(weights(resumed), weights(whole))
    assert np.abs(stem(whole)).max() > 1.0  # faint components are amplified, as no initialiser does
    np.testing.assert_array_equal(stem(whole)[..., :12], -stem(whole)[..., 12:])
