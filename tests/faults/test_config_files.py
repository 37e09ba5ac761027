"""Configurations survive saving and loading; a mutated file works or is refused in one line with its name."""

import codecs
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.config import resolve, saved
from models.config.presets import WITH_NETWORK
from pipeline.common import errors
from pipeline.common.config import settings as settings_of
from pipeline.data_config import DataConfig

FEW = settings(max_examples=60, derandomize=True, database=None)
DATA, TRAIN = resolve({"preset": "quick"})
SAVED = saved.document(DATA, TRAIN)
FIELDS = sorted(SAVED)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [10**400, -(2**63), float("nan"), float("inf"), -0.0, 1e308, "", "\0", "\ud800", "五", "../..", "~x"]
    ),
    st.text(max_size=20),
    st.recursive(st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5),
)


@FEW
@given(st.sampled_from(sorted(WITH_NETWORK)), st.data())
def test_configuration_survives_saving_and_loading(tmp_path_factory, preset, data):
    values = {
        "preset": preset,
        "seed": data.draw(st.integers(0, 2**63 - 1)),
        "epochs": data.draw(st.floats(0.001, 1e6)),
    }
    values["batch_size"] = data.draw(st.integers(1, 2**31))
    configs = resolve(values)
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_text(json.dumps(saved.document(*configs)))
    assert resolve({}, saved.load(path)) == configs
    assert saved.configs(json.loads(path.read_text())) == configs


def outcome(path) -> str:
    """The error of a configuration's file; "" where it works."""
    try:
        resolve({}, saved.load(path))
    except errors.BadArgumentError as error:
        return str(error)
    return ""


@FEW
@given(st.sampled_from(FIELDS), ODD)
def test_any_value_of_a_field_works_or_is_refused(tmp_path_factory, name, value):
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_text(json.dumps({**SAVED, name: value}))
    message = outcome(path)
    assert not message or message.startswith(f"config={path}: ") or name in message


@FEW
@given(st.text(max_size=30), ODD)
def test_any_other_field_works_or_is_refused(tmp_path_factory, name, value):
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_text(json.dumps({**SAVED, name: value}))
    message = outcome(path)
    assert message.startswith(f"config={path}: ") or name in SAVED


@pytest.mark.parametrize("name", FIELDS)
def test_missing_field_has_its_default(name, tmp_path):
    path = tmp_path / "config.json"
    values = copy.deepcopy(SAVED)
    del values[name]
    path.write_text(json.dumps(values))
    assert outcome(path) == ""


@pytest.mark.parametrize("name", [name for name, one in settings_of(DataConfig).items() if one.kind is not str])
@pytest.mark.parametrize("value", [None, {}, "ten", True, 10**400], ids=["none", "object", "text", "bool", "huge"])
def test_message_names_file_and_field(name, value, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: value}))
    assert outcome(path).startswith(f"config={path}: {name}=")


TEXT = json.dumps(SAVED)


@pytest.mark.parametrize("content", [codecs.BOM_UTF8 + TEXT.encode(), TEXT.encode("utf-16"), TEXT.encode("utf-32")])
def test_other_encodings_are_read(content, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert outcome(path) == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"[]",
        b"3",
        b'"text"',
        b"null",
        TEXT.encode()[:-10],
        TEXT.encode() + b"}",
        TEXT.encode("latin-1").replace(b"quick", b"qu\xefck"),
        b'{"epochs": 1, "epochs": 2}',
        b'{"epochs": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"seed": ' * 50_000,
        b"[" * (saved.MAX_BYTES + 1),
        b"epochs: 5\n",
        b'{"epochs": NaN}',
    ],
    ids=lambda content: repr(content[:12]),
)
def test_other_content_is_refused(content, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert outcome(path).startswith(f"config={path}: ")


def test_endless_file_is_read_to_its_limit():
    assert outcome("/dev/zero").startswith("config=/dev/zero: ")
