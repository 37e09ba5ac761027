"""What a data set says of itself: whole after a file, and refused where it is none."""

import json

import pytest

from models.runs.folder import RunFolder
from pipeline.common import errors
from pipeline.datasets import builtin, prepared
from pipeline.datasets.description import Classes, Description
from tests.descriptions import CIFAR100

VALUES = json.loads(json.dumps(CIFAR100.as_dict()))
DAMAGED = ["{}", "[]", "null", "{", json.dumps({**VALUES, "classes": 7}), json.dumps({**VALUES, "channel_means": [1]})]


@pytest.mark.parametrize("name", builtin.VERSIONS)
def test_a_description_is_the_same_from_a_file(name):
    description = builtin.describe(name)
    assert Description.from_dict(json.loads(json.dumps(description.as_dict()))) == description


def test_one_level_of_labels_has_no_coarse_names():
    assert Classes(("cat", "dog")).names == {"fine": ("cat", "dog")}
    assert Classes(("cat", "dog"), ("pet",), (0, 0)).counts == {"fine": 2, "coarse": 1}


@pytest.mark.parametrize("values", [(("a", "b"), ("c",), (0,)), (("a", "b"), ("c",), (0, 1)), (("a",), (), (0,))])
def test_superclasses_that_do_not_fit_the_classes_are_refused(values):
    with pytest.raises(ValueError, match="superclass"):
        Classes(*values)


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_description_is_one_line_that_names_the_file(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(errors.DamagedError, match=rf"^run_dir={tmp_path}: dataset.json is damaged"):
        RunFolder(tmp_path).description()
    folder = prepared.folder(tmp_path, "folder_x_1")
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    (folder / prepared.DESCRIPTION).write_text(text)
    with pytest.raises(errors.DamagedError, match=rf"^data_dir={tmp_path}: .*description.json is damaged"):
        prepared.describe(tmp_path, "folder_x_1")
