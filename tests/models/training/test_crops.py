"""Networks that take a part of each image: random windows in training, the middle in evaluation."""

import keras
import numpy as np
import pytest

from models.config import from_preset
from models.runs import trunk_run
from models.runs.folder import RunFolder, open_locked
from models.training import loop, step
from models.training.evaluation import evaluate_run
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import DataConfig
from tests.models.training.linear_runs import assert_same, linear, weights

SIZE, CROP = 32, 24


@pytest.fixture
def cropped(data) -> DataConfig:
    return data.replace(crop_size=CROP, augmentation="flip_shift")


def test_a_crop_of_all_pixels_is_the_same_training_to_the_last_bit(data):
    whole = data.replace(augmentation="flip_shift")
    first, second = (loop.train(whole.replace(crop_size=size), linear(max_steps=4), verbose=0) for size in (0, SIZE))
    assert_same(weights(first), weights(second))
    assert first.rows[-1]["validation_loss"] == second.rows[-1]["validation_loss"]


def test_a_network_of_one_size_takes_the_crop_and_the_report_has_both_sizes(cropped):
    trained = loop.train(cropped, linear(max_steps=4), verbose=0)
    assert trained.model.input_shape == (None, CROP, CROP, 3)
    assert (trained.report["image_size"], trained.report["input_size"]) == (SIZE, CROP)
    assert trained.report["train_petaflop"] == pytest.approx(6 * 3 * CROP**2 * 120 * 4 * cropped.batch_size / 1e15)


def test_validation_is_of_the_middle_of_each_image(cropped):
    trained = loop.train(cropped, linear(max_steps=4), verbose=0)
    hits = 0
    for batch in OpenedData(cropped.replace(crop_size=0)).evaluation("validation").as_numpy_iterator():
        middle = batch["image"][:, 4:28, 4:28]
        hits += ((trained.model.predict(middle, verbose=0)["fine"].argmax(1) == batch["fine"]) & batch["mask"]).sum()
    assert trained.report["fine_accuracy"] == pytest.approx(hits / 500)


def test_the_seed_decides_the_crops_wherever_the_run_is_cut_off(cropped, tmp_path):
    class StopError(Exception):
        pass

    class Killed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise StopError

    config = linear(epochs=2.0)
    expected = weights(loop.train(cropped, config, verbose=0))
    with open_locked(str(tmp_path), {**cropped.as_dict(), **config.as_dict()}, {}) as run:
        with pytest.raises(StopError):
            loop.train(cropped, config, run=run, callbacks=[Killed()], verbose=0)
        assert_same(weights(loop.train(cropped, config, run=run, verbose=0)), expected)
    other = weights(loop.train(cropped, linear(epochs=2.0, seed=1), verbose=0))
    assert any((one != two).any() for one, two in zip(expected, other, strict=True))


@pytest.fixture
def finished(cropped, tmp_path) -> RunFolder:
    config = linear(max_steps=4)
    values = {**cropped.as_dict(), **config.as_dict()}
    with open_locked(str(tmp_path / "run"), values, values) as run:
        loop.train(cropped, config, run=run, verbose=0)
    return run


def test_another_crop_is_another_run(cropped, finished):
    with pytest.raises(errors.BadArgumentError, match="crop_size=24 there, 28 given"):
        finished.check_identity(cropped.replace(crop_size=28).as_dict())


def test_evaluation_of_a_run_averages_the_middle_with_its_mirror_image(cropped, finished):
    report = evaluate_run(finished, "test")
    model, hits = finished.load_model(), np.zeros(2, int)
    for batch in OpenedData(cropped).evaluation("test").as_numpy_iterator():
        logits = [model.predict(images, verbose=0)["fine"] for images in (batch["image"], batch["image"][:, :, ::-1])]
        for place, answers in enumerate((logits[0], logits[0] + logits[1])):
            hits[place] += ((answers.argmax(1) == batch["fine"]) & batch["mask"]).sum()
    assert report["fine_accuracy"] == pytest.approx(hits[0] / 500)
    assert report["flip_averaged_fine_accuracy"] == pytest.approx(hits[1] / 500)


@pytest.mark.parametrize(("values", "fits"), [({"crop_size": CROP}, True), ({"crop_size": 0}, False)])
def test_a_trunk_of_one_size_needs_the_same_crop(cropped, finished, values, fits):
    data, config = cropped.replace(**values), linear(init_from=str(finished.path))
    size = data.input_size(SIZE)
    if fits:
        trunk_run.check(data, config, records="others", num_validation=500, input_size=size)
        return
    with pytest.raises(errors.BadArgumentError, match=rf"trained on images of 24 x 24 .*--crop_size={CROP}"):
        trunk_run.check(data, config, records="others", num_validation=500, input_size=size)


def test_mixed_labels_resolutions_and_sixteen_bits_go_with_crops(data):
    own = data.as_dict() | {"crop_size": CROP, "augmentation": "modern", "resolutions": ((16, 0.5), (CROP, 0.5))}
    own |= {"unaugmented_fraction": 0.25, "batch_size": 20, "max_steps": 4, "precision": "mixed_bfloat16"}
    cropped, train = from_preset("quick", **own)
    first, second = (loop.train(cropped, train, verbose=0) for _ in range(2))
    assert np.isfinite(first.report["loss"])
    assert_same(weights(first), weights(second))


def test_labels_are_mixed_by_the_pixels_of_the_crop(cropped, monkeypatch):
    sizes, mix_labels = [], step.mix_labels

    def recorded(targets, transforms, drawn, height, width, original):
        sizes.append((height, width))
        return mix_labels(targets, transforms, drawn, height, width, original)

    monkeypatch.setattr(step, "mix_labels", recorded)
    loop.train(cropped.replace(augmentation="modern"), linear(max_steps=1), verbose=0)
    assert set(sizes) == {(CROP, CROP)}
