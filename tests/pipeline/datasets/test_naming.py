"""Names of data sets: as flags, as folders, as reports have them."""

import pytest

from pipeline.common import errors
from pipeline.data_config import DataConfig, SourceConfig


def test_a_built_in_data_set_keeps_its_name_at_its_own_size():
    assert SourceConfig().prepared_name == SourceConfig(image_size=32).prepared_name == "cifar100"
    assert SourceConfig(image_size=64).prepared_name == "cifar100_64px"


def test_a_relative_folder_is_made_absolute_and_reports_do_not_name_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = SourceConfig(dataset="folder:Flowers of 2020")
    assert source.dataset == f"folder:{tmp_path}/Flowers of 2020"
    assert source.shown_name == "folder:Flowers of 2020"
    assert source.prepared_name.startswith("folder_flowers_of_2020_")


def test_a_folder_has_one_name_whatever_path_leads_up_and_down(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere" / "linked").mkdir(parents=True)
    (tmp_path / "link").symlink_to("elsewhere/linked")
    for given, meant in [
        ("a/../b", "b"),
        ("a/./c/../../b", "b"),
        ("../../../../../../../../../b", "/b"),
        (f"/{tmp_path}/link", "link"),
        ("link/../b", "elsewhere/b"),  # as the file system has it
    ]:
        assert SourceConfig(dataset=f"folder:{given}").dataset == f"folder:{tmp_path / meant}"


def test_two_folders_of_one_name_do_not_meet(tmp_path):
    names = {SourceConfig(dataset=f"folder:{tmp_path}/{place}/flowers").prepared_name for place in ("one", "two")}
    assert len(names) == 2


def test_what_changes_the_records_changes_the_name():
    values = [{}, {"fine_key": "kind"}, {"coarse_key": "kind"}, {"image_size": 96}]
    assert len({SourceConfig(dataset="tfds:beans", **each).prepared_name for each in values}) == len(values)
    assert len({SourceConfig(dataset="folder:/x", superclasses=each).prepared_name for each in ("auto", "none")}) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "folder:"}, "dataset='folder:': expected one of"),
        ({"dataset": "tfds:Be ans"}, "dataset=tfds:Be ans: expected tfds:NAME or tfds:NAME/CONFIG"),
        ({"dataset": "cifar100", "fine_key": "label"}, "fine_key=label: only --dataset=tfds:NAME reads it"),
        ({"dataset": "tfds:beans", "superclasses": "none"}, "superclasses=none: only --dataset=folder:PATH reads it"),
        ({"image_size": 7}, "image_size=7: expected 0, or 8 or more"),
        ({"num_validation": -1}, "num_validation=-1: expected at least 0"),
    ],
)
def test_what_is_no_data_set_is_refused(values, message):
    with pytest.raises(errors.BadArgumentError) as refused:
        DataConfig(**values)
    assert message in str(refused.value)
