"""The parts of a training's configuration: what each preset and each flag comes to, and what nothing reads."""

import json
import subprocess
import sys

import pytest

from models.architectures import BUILDERS
from models.config import TrainConfig, from_preset, saved
from models.config.presets import PRESETS
from pipeline.common import config, errors
from pipeline.data_config import DataConfig

UNREAD = [
    {"optimizer": "adam", "muon_momentum": 0.9},
    {"optimizer": "adam", "momentum": 0.7},
    {"heads": "fine", "coarse_dropout": 0.5},
    {"cache": "memory", "shuffle_buffer": 7},
    {"schedule": "constant", "warmup_fraction": 0.5},
    {"widths": (1, 2, 3)},
    {"activation": "silu"},
]


@pytest.mark.parametrize("name", PRESETS)
def test_preset_comes_to_what_it_says(name):
    data, train = from_preset(name)
    read = {**data.as_dict(), **train.as_dict()}
    assert PRESETS[name].keys() <= config.settings(DataConfig, TrainConfig).keys()
    assert {field: read.get(field, value) for field, value in PRESETS[name].items()} == PRESETS[name]
    assert read["preset"] == name


@pytest.mark.parametrize("values", UNREAD, ids=lambda values: list(values)[-1])
def test_field_that_no_chosen_part_reads_is_an_error(values):
    name = list(values)[-1]
    with pytest.raises(errors.BadArgumentError, match=f"^{name}={config.as_text(values[name])}: "):
        from_preset("linear", **values)


def test_value_of_a_preset_that_a_choice_leaves_unread_is_dropped():
    _, train = from_preset("tiny", heads="fine")
    assert "coarse_loss_weight" in PRESETS["tiny"]
    assert "coarse_loss_weight" not in train.as_dict()


def test_every_network_has_a_builder_and_a_class_that_need_no_keras():
    names = "; ".join(f"BUILDERS[{name!r}].build, BUILDERS[{name!r}].config" for name in BUILDERS)
    code = f"import sys; from models.architectures import BUILDERS; {names}; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_saved_configuration_is_read_back_and_holds_what_was_read(tmp_path):
    data, train = from_preset("tiny", heads="fine", epochs=2.0)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(saved.document(data, train)))
    values = saved.load(path)
    assert saved.is_saved(values)
    assert "coarse_dropout" not in values
    assert saved.configs(values) == (data, train)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "expected a JSON object"), ("{", "expected a JSON file"), ('{"sed": 1}', "mean 'seed'")],
)
def test_file_that_is_no_configuration_is_an_error(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(errors.BadArgumentError, match=f"config={path}: .*{message}"):
        saved.load(path)
