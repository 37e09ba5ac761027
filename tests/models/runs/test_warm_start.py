"""A trunk comes over whole from the run that trained it, stays as it is where it is frozen, and must fit."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

from models import classifier, trunk
from models.architectures.last_block import BEFORE_LAST_BLOCK
from models.config.training import TrainConfig
from models.reporting import flops
from models.runs import saved_model, warm_start
from models.runs import trunk_run as models_trunk_run
from models.runs.folder import RunFolder, open_locked
from models.training import loop, preconditions
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import DataConfig
from tests.descriptions import CIFAR100
from tests.prepared_copies import with_other_records

NETWORK = {"architecture": "speedrun", "widths": "8,8,16", "bottlenecks": "8,8,16", "precision": "float32"}
CONFIG = TrainConfig(**NETWORK, learning_rate=0.2, max_steps=3)


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


@pytest.fixture(scope="module")
def trunk_run(data, tmp_path_factory) -> RunFolder:
    path = tmp_path_factory.mktemp("runs") / "trunk"
    with open_locked(str(path), {**data.as_dict(), **CONFIG.as_dict()}, {}) as run:
        loop.train(data, CONFIG, run=run, verbose=0)
    return run


def begun(run: RunFolder, **values) -> TrainConfig:
    return dataclasses.replace(CONFIG, init_from=str(run.path), **values)


def trunk_weights(model: keras.Model) -> list[np.ndarray]:
    return trunk.feature_extractor(model).get_weights()


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    assert len(first) == len(second)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)


def test_frozen_trunk_is_the_other_runs_to_the_last_bit_and_heads_learn(data, trunk_run):
    trained = loop.train(data, begun(trunk_run, freeze_trunk=True, fine_hidden_layers=1), verbose=0)
    assert_same(trunk_weights(trained.model), trunk_weights(saved_model.load(trunk_run.model)))
    begins = classifier.build(begun(trunk_run, fine_hidden_layers=1), CIFAR100).get_layer("fine_hidden_1").kernel
    assert np.abs(trained.model.get_layer("fine_hidden_1").kernel - begins).max() > 0.0
    assert len(trained.model.trainable_variables) == 6  # three dense layers


def split_at_last_block(model: keras.Model) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The weights before the last block, and its own."""
    before = keras.Model(model.input, model.get_layer(BEFORE_LAST_BLOCK).output).get_weights()
    return before, trunk_weights(model)[len(before) :]


def test_thawed_last_block_learns_and_what_is_before_it_stays(data, trunk_run):
    config = begun(trunk_run, freeze_trunk=True, unfreeze_last_block=True)
    before, last_block = split_at_last_block(saved_model.load(trunk_run.model))
    assert len(before) > 5
    assert len(last_block) > 5
    trained_before, trained_block = split_at_last_block(loop.train(data, config, verbose=0).model)
    assert_same(trained_before, before)
    kernels = [place for place, weight in enumerate(last_block) if weight.ndim == 4]
    assert all(np.abs(trained_block[place] - last_block[place]).max() > 1e-3 for place in kernels)


def test_separate_last_blocks_begin_as_the_one_they_come_from_and_part(data, trunk_run):
    config = begun(trunk_run, freeze_trunk=True, unfreeze_last_block=True, separate_blocks=True)
    model = classifier.build(config, CIFAR100)
    warm_start.load_weights(model, OpenedData(data), config)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    fine, coarse = trunk.feature_extractor(model)(images)
    np.testing.assert_array_equal(fine, coarse)
    np.testing.assert_allclose(fine, trunk.feature_extractor(saved_model.load(trunk_run.model))(images), rtol=1e-5)
    trained = loop.train(data, config, verbose=0).model
    fine, coarse = trunk.feature_extractor(trained)(images)
    assert np.abs(fine - coarse).max() > 1e-3


@pytest.mark.parametrize("level", [0, 1])
def test_only_head_takes_the_last_block_that_was_its_own(data, tmp_path, level):
    separate = dataclasses.replace(CONFIG, separate_blocks=True, max_steps=1)
    with open_locked(str(tmp_path / "run"), {**data.as_dict(), **separate.as_dict()}, {}) as run:
        loop.train(data, separate, run=run, verbose=0)
    own = trunk.feature_extractor(saved_model.load(run.model))
    narrowed = begun(run, heads=("fine", "coarse")[level])
    model = classifier.build(narrowed, CIFAR100)
    warm_start.load_weights(model, OpenedData(data), narrowed)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    features, of_both = trunk.feature_extractor(model)(images), own(images)
    np.testing.assert_allclose(features, of_both[level], rtol=1e-5)
    assert np.abs(features - of_both[1 - level]).max() > 1e-3


def test_thawed_last_block_costs_its_backward_pass(trunk_run):
    config = begun(trunk_run, freeze_trunk=True, unfreeze_last_block=True)
    model = classifier.build(config, CIFAR100)
    frozen = flops.multiply_adds(keras.Model(model.input, model.get_layer(BEFORE_LAST_BLOCK).output), 32)
    cost = flops.train_petaflop(model, config, {32: 1000})
    assert cost == pytest.approx((6 * flops.multiply_adds(model, 32) - 4 * frozen) * 1000 / 1e15)


@pytest.mark.parametrize("changes", [{"freeze_trunk": False}, {"architecture": "resnet18"}])
def test_last_block_that_cannot_be_thawed_is_refused(trunk_run, changes):
    values = {"freeze_trunk": True, "unfreeze_last_block": True, **changes}
    with pytest.raises(errors.BadArgumentError, match=r"unfreeze_last_block=True: .*--arch.* and --freeze_trunk"):
        begun(trunk_run, **values)


def test_trunk_that_is_not_frozen_begins_there_and_learns(data, trunk_run):
    before = trunk_weights(saved_model.load(trunk_run.model))
    still = loop.train(data, begun(trunk_run, learning_rate=0.0, weight_decay=0.0, max_steps=1), verbose=0)
    moved = loop.train(data, begun(trunk_run, max_steps=1, warmup_fraction=0.0), verbose=0)
    kernels = [place for place, weight in enumerate(before) if weight.ndim == 4]
    assert len(kernels) == 10
    for place in kernels:
        # Muon brings kernels back to their norm, so that a rate of zero leaves them as they are but for rounding.
        np.testing.assert_allclose(trunk_weights(still.model)[place], before[place], rtol=1e-5, atol=1e-6)
    assert any(np.abs(trunk_weights(moved.model)[place] - before[place]).max() > 1e-3 for place in kernels)


def test_frozen_trunk_costs_its_forward_pass(trunk_run):
    model = classifier.build(begun(trunk_run, freeze_trunk=True), CIFAR100)
    everything, heads = flops.multiply_adds(model, 32), 16 * 120
    cost = flops.train_petaflop(model, begun(trunk_run, freeze_trunk=True), {32: 1000})
    assert cost == pytest.approx((2 * (everything - heads) + 6 * heads) * 1000 / 1e15)


@pytest.mark.parametrize(
    ("network", "split", "message"),
    [
        ({"widths": "8,8,32"}, {}, r"widths=\(8, 8, 16\) there, \(8, 8, 32\) here; .* --preset=finetune$"),
        ({"separate_blocks": True}, {}, "separate_blocks=False there, True here"),
        ({}, {"num_validation": 0}, "num_validation=500 there, 0 here"),
        ({}, {"split_seed": 1}, "split_seed=0 there, 1 here"),
    ],
)
def test_trunk_of_another_network_or_split_is_refused(data, trunk_run, network, split, message):
    with pytest.raises(errors.BadArgumentError, match=f"init_from=.*: {message}"):
        preconditions.check(dataclasses.replace(data, **split), begun(trunk_run, **network))


def test_trunk_of_other_records_is_announced_and_recorded(data, trunk_run, tiny_data_dir, tmp_path, capsys):
    """Its run may have held out other images, since none of ours is known to be among those that it was trained on."""
    other = data.replace(data_dir=with_other_records(tiny_data_dir, tmp_path / "data"), split_seed=1)
    report = loop.train(other, begun(trunk_run, max_steps=1), verbose=2).report
    assert report["trunk_records"] == trunk_run.report()["fingerprints"]["records"]
    assert report["trunk_records"] != report["fingerprints"]["records"]
    announced = [line for line in capsys.readouterr().out.splitlines() if "OTHER records" in line]
    assert len(announced) == 1
    assert announced[0].startswith(f"Trunk: of {trunk_run.path}")
    loop.train(data, begun(trunk_run, max_steps=1), verbose=2)
    assert "OTHER records" not in capsys.readouterr().out


def test_trunk_whose_own_trunk_saw_these_records_is_refused(data, trunk_run, tiny_data_dir, tmp_path):
    """It would bring images that are held out here back in, by way of other records."""
    other = data.replace(data_dir=with_other_records(tiny_data_dir, tmp_path / "data"))
    config = begun(trunk_run, max_steps=1)
    with open_locked(str(tmp_path / "run"), {**other.as_dict(), **config.as_dict()}, {}) as run:
        loop.train(other, config, run=run, verbose=0)
    with pytest.raises(errors.BadArgumentError, match=r"^init_from=.*: its own trunk was trained on these records"):
        preconditions.check(data.replace(split_seed=1), begun(run))


def test_a_chain_of_trunks_does_not_forget_the_first_records(data, trunk_run, tiny_data_dir, tmp_path):
    config = begun(trunk_run, max_steps=1)
    for number, seed in enumerate((0, 1)):  # on other records, twice
        other = data.replace(data_dir=with_other_records(tiny_data_dir, tmp_path / f"data{number}"), split_seed=0)
        with open_locked(str(tmp_path / f"run{number}"), {**other.as_dict(), **config.as_dict()}, {}) as run:
            loop.train(other, config.replace(seed=seed), run=run, verbose=0)
        config = begun(run, max_steps=1)
    assert trunk_run.report()["fingerprints"]["records"] in run.report()["earlier_trunk_records"]
    with pytest.raises(errors.BadArgumentError, match=r"^init_from=.*: its own trunk was trained on these records"):
        preconditions.check(data.replace(split_seed=1), config)


def refused_form(data: DataConfig, run: RunFolder, num_validation: int = 500) -> None:
    """Check a run as the trunk of one on images in another form."""
    checked = models_trunk_run.check(data, begun(run), records="others", num_validation=num_validation, input_size=32)
    assert checked.path == run.path


def test_trunk_of_the_same_images_in_another_form_is_refused_where_some_are_held_out(data, trunk_run):
    with pytest.raises(
        errors.BadArgumentError, match=r"^init_from=.*: image_size=0 there, 64 here, of the same images"
    ):
        refused_form(data.replace(image_size=64), trunk_run)
    refused_form(data.replace(image_size=64, num_validation=0), trunk_run, num_validation=0)  # nothing leaks
    refused_form(data, trunk_run)


def test_an_own_validation_split_is_not_as_many_images_held_out_of_train(data, trunk_run, tmp_path):
    described = trunk_run.description()
    own = dataclasses.replace(described, num_examples={**described.num_examples, "validation": 500})
    copy = RunFolder(shutil.copytree(trunk_run.path, tmp_path / "run"))
    copy.write_description(own)
    records = trunk_run.report()["fingerprints"]["records"]
    values = {"records": records, "num_validation": 500, "input_size": 32}
    models_trunk_run.check(data, begun(copy), **values)
    config = json.loads((copy.path / "config.json").read_text())
    (copy.path / "config.json").write_text(json.dumps({**config, "dataset": "folder:/flowers", "num_validation": -1}))
    with pytest.raises(errors.BadArgumentError, match=r"num_validation='its own split' there, 500 here"):
        models_trunk_run.check(data, begun(copy), **values)


def test_folder_without_a_finished_run_is_refused(data, tmp_path):
    with pytest.raises(errors.BadArgumentError, match=r"init_from=.*: expected a folder that models.train wrote"):
        preconditions.check(data, dataclasses.replace(CONFIG, init_from=str(tmp_path)))


def test_nothing_to_freeze_is_refused():
    with pytest.raises(errors.BadArgumentError, match=r"freeze_trunk=True: .* without --init_from"):
        TrainConfig(freeze_trunk=True)
