"""The parts of a training's configuration: what each preset and each flag comes to, and what nothing reads."""

import dataclasses
import json
import subprocess
import sys

import pytest

from models.architectures import BUILDERS
from models.config import TrainConfig, from_preset, resolve, saved
from models.config.presets import FINETUNE, PRESETS, WITH_NETWORK
from pipeline.common import config, errors
from pipeline.data_config import DataConfig
from pipeline.datasets import builtin
from tests.conftest import ROOT

UNREAD = [
    {"optimizer": "adam", "muon_momentum": 0.9},
    {"optimizer": "adam", "momentum": 0.7},
    {"heads": "fine", "coarse_dropout": 0.5},
    {"cache": "memory", "shuffle_buffer": 7},
    {"schedule": "constant", "warmup_fraction": 0.5},
    {"widths": (1, 2, 3)},
    {"activation": "silu"},
]


RUN = str(ROOT / "tests" / "models" / "written_by_710a023" / "finished")  # which finetune takes the network of
COMPLETE = [(name, {"init_from": RUN} if name == FINETUNE else {}) for name in PRESETS]


@pytest.mark.parametrize(("name", "needed"), COMPLETE)
def test_preset_comes_to_what_it_says(name, needed):
    data, train = from_preset(name, **needed)
    read = {**data.as_dict(), **train.as_dict()}
    assert PRESETS[name].keys() <= config.settings(DataConfig, TrainConfig).keys()
    assert {field: read.get(field, value) for field, value in PRESETS[name].items()} == PRESETS[name]
    assert read["preset"] == name


@pytest.mark.parametrize(("name", "needed"), COMPLETE)
def test_every_preset_fits_the_smallest_data_set_unless_a_value_is_set(name, needed):
    data, _ = from_preset(name, dataset="shapes100_tiny", **needed)
    assert (data.num_validation, DataConfig(dataset="shapes100_tiny").num_validation) == (500, 500)
    assert data.batch_size <= builtin.describe("shapes100_tiny").num_examples["train"] - 500
    assert from_preset(name, dataset="shapes100_tiny", num_validation=10_000, **needed)[0].num_validation == 10_000
    assert from_preset(name, **needed)[0].num_validation == data.replace(num_validation=10_000).num_validation == 10_000


@pytest.mark.parametrize("name", [name for name in WITH_NETWORK if PRESETS[name]])
def test_preset_without_its_values_is_refused(name):
    """An argument without an effect, as in slideflow/slideflow#294."""
    _, train = from_preset(name)
    values = {field: value for field, value in train.as_dict().items() if field in PRESETS[name]}
    assert TrainConfig(preset=name, **values) == train
    assert dataclasses.replace(train, seed=1).replace(seed=0) == train
    values.popitem()
    makers = {
        "constructor": lambda: TrainConfig(preset=name, **values),
        "replace": lambda: TrainConfig().replace(preset=name),
        "dataclasses.replace": lambda: dataclasses.replace(TrainConfig(), preset=name),
    }
    for make in makers.values():
        with pytest.raises(errors.BadArgumentError, match=f"^preset={name}: .*from_preset\\('{name}'"):
            make()


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


@pytest.mark.parametrize("values", UNREAD, ids=lambda values: list(values)[-1])
def test_unread_value_of_a_hand_written_file_or_of_the_command_line_is_one_line_and_code_2(tmp_path, values):
    name = list(values)[-1]
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"preset": "linear", **values}))
    typed = [f"--{field}={config.as_text(value)}" for field, value in values.items()]
    for arguments in (["--preset=linear", *typed], [f"--config={path}"]):
        command = [sys.executable, "-m", "models.train", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {name}={config.as_text(values[name])}: ")
        assert done.stderr.count("\n") == 1


def test_saved_configuration_goes_with_a_flag_that_changes_a_choice(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(saved.document(*from_preset("tiny", momentum=0.7, epochs=2.0))))
    _, train = resolve({"optimizer": "adam", "learning_rate": 1e-3}, saved.load(path))
    assert (train.optimizer, train.epochs, train.get("momentum", None)) == ("adam", 2.0, None)
    with pytest.raises(errors.BadArgumentError, match=r"^momentum=0\.5: --optimizer=adam"):
        resolve({"optimizer": "adam", "momentum": 0.5}, saved.load(path))
    with pytest.raises(errors.BadArgumentError, match=r"^preset=quick: .*tiny"):
        resolve({"preset": "quick"}, saved.load(path))


def test_configuration_of_710a023_which_lists_every_field_is_read():
    values = saved.load(ROOT / "tests" / "models" / "written_by_710a023" / "finished" / "config.json")
    assert saved.is_saved(values)
    data, train = resolve({}, values)
    assert (data, train) == saved.configs(values)
    assert len(values) == 75
    assert "depth" in values
    assert train.get("depth", None) is None
    assert resolve({"architecture": "wide_resnet"}, values)[1].depth == 28


@pytest.mark.parametrize(
    ("values", "today"),
    [
        ({"average_decay": 0.9}, {"ema_decay": 0.9}),
        ({"architecture": "residual"}, {"architecture": "resnet9"}),
        ({"architecture": "fast", "widths": "8,16,32"}, {"architecture": "speedrun", "widths": (8, 16, 32)}),
        ({"optimizer": "muon", "muon_rate_ratio": 0.2}, {"optimizer": "muon", "muon_lr_multiplier": 0.2}),
        ({"optimizer": "muon", "offset_rate_ratio": 2.0}, {"optimizer": "muon", "bias_lr_multiplier": 2.0}),
        (
            {"augmentation": "study", "original_fraction": 0.5},
            {"augmentation": "original", "unaugmented_fraction": 0.5},
        ),
        ({"unaugmented_ending": 0.1}, {"unaugmented_last_fraction": 0.1}),
        ({"preset": "study_fine"}, {"preset": "original_fine"}),
        ({"trunk_run_dir": "r", "freeze_trunk": True}, {"init_from": "r", "freeze_trunk": True}),
        ({"resolutions": "20:0.5,32:0.5"}, {"resolutions": ((20, 0.5), (32, 0.5))}),
    ],
)
def test_name_of_an_earlier_version_is_read_in_a_file(tmp_path, values, today):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    data, train = resolve({}, saved.load(path))
    read = {**data.as_dict(), **train.as_dict()}
    assert {name: read[name] for name in today} == today
    assert {name: saved.normalised(values)[name] for name in today} == today
