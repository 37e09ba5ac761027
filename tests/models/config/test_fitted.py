"""Configurations fitted to a data set: what follows from it, and what is refused."""

import dataclasses

import pytest

from models.config import from_preset, preset_changes
from models.config.fitted import check_given, fitted
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets.description import Classes
from tests.descriptions import CIFAR100

PETS = dataclasses.replace(
    CIFAR100, classes=Classes(("cat", "dog")), image_size=64, num_examples={"train": 240, "test": 60}
)


def of_pets(preset: str = "tiny", **values):
    return from_preset(preset, dataset="folder:/pets", **values)


def test_nothing_changes_on_cifar100():
    for preset in ("quick", "tiny", "original_coarse"):
        given = from_preset(preset)
        assert fitted(*given, CIFAR100) == given


def test_heads_resolutions_and_batch_follow_from_the_data_and_stay():
    data, train = fitted(*of_pets(), PETS)
    assert (train.heads, data.resolutions) == ("fine", ((32, 0.5), (48, 0.3), (64, 0.2)))
    assert data.batch_size == 192 // 8  # an own 20 % of validation is left out
    assert fitted(data, train, PETS) == (data, train)
    assert preset_changes(data, train, PETS) == {"dataset": "folder:/pets"}


def test_a_size_that_was_asked_for_is_fitted_too():
    data, train = of_pets(image_size=64)
    assert fitted(data, train, PETS)[0].resolutions == ((32, 0.5), (48, 0.3), (64, 0.2))


def test_what_a_recipe_sets_is_fitted_as_a_preset_is():
    recipe = {"resolutions": ((20, 0.5), (32, 0.5)), "batch_size": 512}
    data, train = fitted(*of_pets(**recipe), PETS, recipe)
    assert (data.resolutions, data.batch_size) == (((40, 0.5), (64, 0.5)), 192 // 8)
    assert fitted(data, train, PETS, {**recipe, "resolutions": data.resolutions}) == (data, train)


def test_heads_that_were_given_are_not_left_out_silently():
    configs = fitted(*of_pets(), PETS)
    check_given({"heads": "fine", "epochs": 1.0}, *configs)
    for flags in ({"heads": "both"}, {"coarse_loss_weight": 0.3}):
        with pytest.raises(errors.BadArgumentError, match=r"=(both|0.3): folder:pets has one level of labels"):
            check_given(flags, *configs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heads": "coarse"}, "heads=coarse: cifar100 has one level of labels; expected --heads=fine"),
        ({"resolutions": ((32, 0.5), (48, 0.5))}, "ends at size 48, expected 64"),
        ({"num_validation": 240}, "num_validation=240: expected fewer than the 240"),
    ],
)
def test_what_the_data_do_not_allow_is_refused(values, message):
    with pytest.raises(errors.BadArgumentError) as refused:
        fitted(*of_pets(**values), PETS)
    assert message in str(refused.value)


def test_an_own_validation_split_is_used_unless_another_number_is_set():
    own = dataclasses.replace(PETS, num_examples={"train": 240, "validation": 30, "test": 60})
    config = DataConfig(dataset="folder:/pets")
    assert config.split_sizes(own) == {"train": 240, "validation": 30, "test": 60}
    assert config.replace(num_validation=40).split_sizes(own) == {"train": 200, "validation": 40, "test": 60}


def test_images_that_do_not_fit_into_memory_are_refused(monkeypatch):
    huge = dataclasses.replace(PETS, image_size=224, num_examples={"train": 10**9, "test": 1})
    with pytest.raises(errors.BadArgumentError, match=r"^cache=memory: .* set --cache=disk or --cache=none"):
        DataConfig(dataset="folder:/pets").check_memory(huge)
    with pytest.raises(errors.BadArgumentError, match=r"^cache=device: .* set --cache=disk or --cache=none"):
        DataConfig(dataset="folder:/pets", cache="device").check_memory(huge)
    DataConfig(dataset="folder:/pets", cache="disk").check_memory(huge)
    monkeypatch.setattr("pipeline.common.process.memory.cgroup_available", lambda: 1 << 20)  # as in a container
    with pytest.raises(errors.BadArgumentError, match=r"^cache=memory: .* 0\.0 GiB are free"):
        DataConfig(dataset="folder:/pets").check_memory(PETS)


def test_a_crop_decides_what_the_resolutions_end_at():
    data, train = of_pets(crop_size=48)
    data, train = fitted(data, train, PETS)
    assert data.resolutions == ((24, 0.5), (36, 0.3), (48, 0.2))
    assert fitted(data, train, PETS) == (data, train)
    data, _ = fitted(*of_pets(crop_size=32), PETS)
    assert data.resolutions == ((16, 0.5), (24, 0.3), (32, 0.2))


def test_a_crop_larger_than_the_images_is_refused():
    with pytest.raises(errors.BadArgumentError, match=r"^crop_size=65: expected at most 64"):
        fitted(*of_pets(crop_size=65), PETS)


@pytest.mark.parametrize("dataset", ["cifar100", "folder:/pets"])
def test_resolutions_of_a_preset_grow_with_images_of_a_set_size(dataset):
    data, _ = fitted(*from_preset("tiny", dataset=dataset, image_size=64), dataclasses.replace(CIFAR100, image_size=64))
    assert data.resolutions == ((32, 0.5), (48, 0.3), (64, 0.2))
