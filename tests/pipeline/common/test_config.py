"""Configurations: one field, one flag, one default, one range."""

import dataclasses
import pickle

import pytest
from absl import flags

from models.config.presets import preset
from models.config.training import TrainConfig
from pipeline.common import config, errors
from pipeline.common.config import Composition, Config, Part, setting
from pipeline.data_config import DataConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size=0: expected at least 1"),
        ({"batch_size": 2.5}, "batch_size=2.5: expected int"),
        ({"batch_size": True}, "batch_size=True: expected int"),
        ({"cache": "memor"}, "cache='memor': expected one of memory, device, disk, none; did you mean 'memory'?"),
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
    assert not config.settings(DataConfig).keys() & config.settings(TrainConfig).keys()


@pytest.mark.parametrize("name", [5, ["quick"]])
def test_preset_of_another_type_is_refused(name):
    with pytest.raises(errors.BadArgumentError, match="preset="):
        preset(name)


def test_unknown_preset_names_the_nearest():
    with pytest.raises(errors.BadArgumentError, match="did you mean 'quick'"):
        preset("quik")


def test_identity_leaves_out_where_the_data_lie():
    identity = DataConfig().as_dict(identity_only=True)
    assert "data_dir" not in identity
    assert "archive" not in identity
    assert identity["batch_size"] == DataConfig().batch_size


@dataclasses.dataclass(frozen=True)
class Momentum(Config):
    momentum: float = setting(0.9, "momentum", low=0.0, high=1.0)


@dataclasses.dataclass(frozen=True)
class Branch(Config):
    layers: int = setting(0, "layers of the {part} branch", low=0)
    units: int = setting(8, "units of each layer of the {part} branch", needs="layers")


@dataclasses.dataclass(frozen=True, init=False)
class Toy(Composition):
    optimizer: str = setting("sgd", "rule", parts={"sgd": (Part(Momentum),), "muon": (Part(Momentum),), "adam": ()})
    branches: str = setting(
        "both",
        "branches",
        parts={"both": (Part(Branch, "left_"), Part(Branch, "right_", {"units": 4})), "none": ()},
    )
    path: str = setting("", "folder")
    keeps: bool = setting(False, "keep it", needs="path")
    sizes: tuple[int, ...] = setting((1, 2), "sizes", low=1)


def test_composition_holds_the_fields_of_its_parts():
    toy = Toy(momentum=0.5, left_layers=1)
    assert toy.momentum == 0.5
    assert toy.as_dict() == {
        "optimizer": "sgd",
        "branches": "both",
        "path": "",
        "sizes": (1, 2),
        "momentum": 0.5,
        "left_layers": 1,
        "left_units": 8,
        "right_layers": 0,
    }
    assert toy.part(Branch, "left_") == Branch(layers=1, units=8)
    assert Toy(right_layers=1).right_units == 4
    assert toy == pickle.loads(pickle.dumps(toy)) == toy.replace()
    assert len({toy, Toy(momentum=0.5, left_layers=1), Toy()}) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "adam", "momentum": 0.5}, "momentum=0.5: --optimizer=adam .*--optimizer=sgd or muon"),
        ({"branches": "none", "left_layers": 1}, "left_layers=1: --branches=none"),
        ({"left_units": 3}, "left_units=3: .* --branches=both and --left_layers"),
        ({"keeps": True}, "keeps=True: .* --path"),
        ({"momentun": 0.5}, "momentun: unknown field .*'momentum'"),
        ({"momentum": 2.0}, r"momentum=2.0: expected 0.0 to 1.0"),
        ({"left_layers": -1}, "left_layers=-1: expected at least 0"),
        ({"sizes": "1,x"}, "sizes=1,x: expected numbers such as 1,2"),
        ({"sizes": (0,)}, r"sizes=\(0,\): expected at least 1"),
    ],
)
def test_value_that_nothing_reads_or_that_is_wrong_is_an_error(values, message):
    with pytest.raises(errors.BadArgumentError, match=f"^{message}"):
        Toy(**values)


def test_layers_may_hold_what_is_not_read():
    toy = config.build(Toy, {"momentum": 0.5, "left_units": 3, "keeps": True}, {"optimizer": "adam"})
    assert toy == Toy(optimizer="adam")
    with pytest.raises(AttributeError, match="momentum"):
        _ = toy.momentum
    assert toy.get("momentum", 0.0) == 0.0
    assert config.unread({"momentum": 0.5, "path": "a", "foreign": 1}, toy) == ["momentum"]
    config.check_read({"momentum": 0.5}, toy, Toy())
    with pytest.raises(errors.BadArgumentError, match=r"^momentum=0\.5: no row reads it; leave it out$"):
        config.check_read({"momentum": 0.5}, toy, problem="no row reads it")


def test_replaced_choice_drops_what_its_parts_read_and_keeps_the_rest():
    toy = Toy(momentum=0.5, left_layers=2)
    changed = toy.replace(optimizer="adam")
    assert changed == Toy(optimizer="adam", left_layers=2)
    assert dataclasses.replace(toy, optimizer="muon").momentum == 0.5
    with pytest.raises(errors.BadArgumentError, match=r"momentum=0\.1"):
        toy.replace(optimizer="adam", momentum=0.1)


@pytest.mark.parametrize("value", [[3, 4], (3, 4), "3,4"])
def test_tuple_is_read_from_text_and_from_json(value):
    assert Toy(sizes=value).sizes == (3, 4)
    assert config.as_text(((20, 0.5), (32, 0.5))) == "20:0.5,32:0.5"


def test_readers_of_a_flag_follow_from_the_classes():
    known = config.settings(Toy)
    assert known["momentum"].where_read == "--optimizer=sgd or muon"
    assert known["left_units"].where_read == "--branches=both and --left_layers"
    assert known["right_units"].help == "units of each layer of the right branch"
    assert known["path"].where_read == ""
    assert known["keeps"].where_read == "--path"


def test_field_of_two_unrelated_classes_is_an_error():
    @dataclasses.dataclass(frozen=True)
    class Other(Config):
        momentum: float = setting(0.1, "another momentum")

    @dataclasses.dataclass(frozen=True, init=False)
    class Twice(Composition):
        optimizer: str = setting("sgd", "rule", parts={"sgd": (Part(Momentum),), "adam": (Part(Other),)})

    with pytest.raises(ValueError, match="momentum has two definitions"):
        config.settings(Twice)
