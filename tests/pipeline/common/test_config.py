"""Configurations: one field, one flag, one default, one range."""

import dataclasses
import itertools
import json

import pytest
from absl import flags

from models.config.presets import PRESETS, preset
from models.config.training import TrainConfig
from pipeline.common import config, errors
from pipeline.data_config import DataConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size=0: expected at least 1"),
        ({"batch_size": 2.5}, "batch_size=2.5: expected int"),
        ({"batch_size": True}, "batch_size=True: expected int"),
        ({"cache": "memor"}, "cache='memor': expected one of memory, disk, none; did you mean 'memory'?"),
        ({"num_validation": -1}, "num_validation=-1: expected at least 0"),
        ({"batch_size": "8"}, "batch_size='8': expected int"),
    ],
)
def test_wrong_value_is_refused_in_one_line(values, message):
    with pytest.raises(errors.BadArgumentError) as caught:
        config.build(DataConfig, values)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_number_that_is_none_is_refused(value):
    with pytest.raises(errors.BadArgumentError, match=f"epochs={value}: expected a finite number"):
        TrainConfig(epochs=value)


def test_later_layers_win_and_foreign_keys_pass():
    built = config.build(DataConfig, {"batch_size": 1, "seed": 3}, {"batch_size": 2}, {})
    assert built.batch_size == 2


def test_flags_left_alone_are_not_given(monkeypatch):
    values = flags.FlagValues()
    flags.DEFINE_integer("batch_size", 7, "", flag_values=values)
    flags.DEFINE_integer("seed", 7, "", flag_values=values)
    values(["binary", "--seed=7"])
    monkeypatch.setattr(flags, "FLAGS", values)
    assert config.given_flags() == {"seed": 7}


def test_no_two_configurations_share_a_flag():
    names = [field.name for config_class in (DataConfig, TrainConfig) for field in dataclasses.fields(config_class)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_whole_configurations(name):
    values = preset(name)
    known = {field.name for config_class in (DataConfig, TrainConfig) for field in dataclasses.fields(config_class)}
    assert values.keys() <= known
    data, train = config.build(DataConfig, values), config.build(TrainConfig, values)
    merged = dict(itertools.chain(data.as_dict().items(), train.as_dict().items()))
    assert {key: merged[key] for key in values} == values


@pytest.mark.parametrize("name", [5, ["quick"]])
def test_preset_of_another_type_is_refused(name):
    with pytest.raises(errors.BadArgumentError, match="preset="):
        preset(name)


def test_unknown_preset_names_the_nearest():
    with pytest.raises(errors.BadArgumentError, match="did you mean 'quick'"):
        preset("quik")


def test_file_round_trip(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(DataConfig(batch_size=32).as_dict()))
    assert config.build(DataConfig, config.load(path, DataConfig)).batch_size == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "expected a JSON object"), ("{", "expected a JSON file"), ('{"sed": 1}', "mean 'seed'")],
)
def test_bad_file_is_refused(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(errors.BadArgumentError, match=message):
        config.load(path, DataConfig, TrainConfig)


def test_identity_leaves_out_where_the_data_lie():
    identity = DataConfig().as_dict(identity_only=True)
    assert "data_dir" not in identity
    assert "archive" not in identity
    assert identity["batch_size"] == DataConfig().batch_size
