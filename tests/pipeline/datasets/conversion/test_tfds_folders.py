"""The folder of a data set is found by its name, configuration and version; what is missing is one line."""

import pytest

from pipeline.common import errors
from pipeline.datasets.conversion import tfds_folders
from pipeline.datasets.conversion.tfds_folders import find


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """Our --data_dir and TFDS's folder, with some version folders."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    monkeypatch.setenv("TFDS_DATA_DIR", str(theirs))
    for folder in ("a/1.0.0", "a/1.10.0", "a/1.9.0", "b/large/1.0.0", "c/large/2.0.0", "c/small/2.0.0", "a/incomplete"):
        (theirs / folder).mkdir(parents=True)
        (theirs / folder / "dataset_info.json").touch()
    (ours / "d/1.0.0").mkdir(parents=True)
    (ours / "d/1.0.0/dataset_info.json").touch()
    return ours, theirs


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("a", "a/1.10.0"),
        ("a:1.9.0", "a/1.9.0"),
        ("b", "b/large/1.0.0"),
        ("c/small", "c/small/2.0.0"),
        ("c/large:2.0.0", "c/large/2.0.0"),
    ],
)
def test_the_newest_version_is_found(roots, given, folder):
    assert find(given, roots[0]) == roots[1] / folder


def test_our_folder_comes_first(roots):
    ours, _ = roots
    assert find("d", ours) == ours / "d/1.0.0"
    (ours / "a/1.0.0").mkdir(parents=True)
    (ours / "a/1.0.0/dataset_info.json").touch()
    assert find("a", ours) == ours / "a/1.0.0"


def test_a_configuration_is_asked_for_where_there_are_several(roots):
    with pytest.raises(errors.BadArgumentError, match="tfds:c/CONFIG, CONFIG one of large, small"):
        find("c", roots[0])


@pytest.mark.parametrize(
    ("given", "available"),
    [
        ("nothing", "a, b/large, c/large, c/small, d"),
        ("nothing:1.0.0", "a, b/large, c/large, c/small, d"),
        ("a/large", "a:1.0.0, a:1.9.0, a:1.10.0"),
        ("a:3.0.0", "a:1.0.0, a:1.9.0, a:1.10.0"),
        ("b:3.0.0", "b/large:1.0.0"),
        ("c/medium", "c/large:2.0.0, c/small:2.0.0"),
        ("c/small:1.0.0", "c/large:2.0.0, c/small:2.0.0"),
    ],
)
def test_what_is_missing_is_one_line_with_what_is_there_and_the_command(roots, given, available):
    with pytest.raises(errors.BadArgumentError) as caught:
        find(given, roots[0])
    text = str(caught.value)
    assert f"dataset=tfds:{given}" in text
    assert f"have {available};" in text
    assert "--download" in text
    assert all(str(root) in text for root in roots)


@pytest.mark.parametrize("given", ["", "/a", "a/b/c", "../a", "a:1"])
def test_what_is_no_name_is_refused(roots, given):
    with pytest.raises(errors.BadArgumentError, match="expected tfds:NAME"):
        find(given, roots[0])


def test_tfds_has_a_folder_of_its_own_unless_the_environment_names_another(roots, monkeypatch):
    assert tfds_folders.default_root() == roots[1]
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert tfds_folders.default_root().name == "tensorflow_datasets"
