"""Folders of classes are read, and a change of any file in them is noticed."""

import json
import os

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from pipeline.common import errors
from pipeline.datasets import images, prepared
from pipeline.datasets.conversion import listing
from pipeline.datasets.conversion.convert import convert
from pipeline.datasets.conversion.folder_source import open_source
from pipeline.datasets.description import Classes, Description

NAME = "folder_pets_01234567"


@pytest.fixture
def root(tmp_path):
    """Folders of three classes, with five images each in train and two in test, and their superclasses."""
    folder = tmp_path / "pets"
    for split, count in (("train", 5), ("test", 2)):
        for number, name in enumerate(("dog", "cat", "golden fish")):
            (folder / split / name).mkdir(parents=True)
            for n in range(count):
                pixels = np.random.default_rng([count, number, n]).integers(0, 256, (10, 10, 3), np.uint8)
                PIL.Image.fromarray(pixels).save(folder / split / name / f"{n}.png")
    (folder / "superclasses.csv").write_text("fine,coarse\ncat,mammal\ndog,mammal\ngolden fish,fish\n")
    return folder


def test_images_are_read_by_name(root):
    source = open_source(root, "folder:pets")
    assert source.classes == Classes(("cat", "dog", "golden fish"), ("fish", "mammal"), (1, 1, 0))
    assert source.splits == {"train": 15, "test": 6}
    found = list(source.items("train", 4, 6))
    assert [(item.name, item.fine) for item in found] == [("train/cat/4.png", 0), ("train/dog/0.png", 1)]
    assert np.array_equal(found[1].load().pixels, np.asarray(PIL.Image.open(root / "train/dog/0.png")))


def test_an_image_that_cannot_be_decoded_says_why(root):
    (root / "train/dog/0.png").write_bytes(b"")
    (item,) = open_source(root, "folder:pets").items("train", 5, 6)
    with pytest.raises(images.ImageError, match="empty"):
        item.load()


def test_a_link_to_nothing_is_an_image_that_cannot_be_used(root):
    path = root / "train/dog/0.png"
    path.unlink()
    path.symlink_to("missing.png")
    source = open_source(root, "folder:pets")
    (item,) = source.items("train", 5, 6)
    with pytest.raises(images.ImageError):
        item.load()
    assert len(list(source.files())) == 15 + 6 - 1 + 1  # without the link, and with the superclasses


def test_what_is_no_folder_of_classes_is_one_line(root):
    with pytest.raises(errors.BadArgumentError, match=r"dataset=folder:missing: no such folder"):
        open_source(root / "missing", "folder:missing")


def test_it_is_converted_and_later_changes_are_counted(root, tmp_path):
    (root / "train/dog/0.png").write_bytes(b"not an image")
    data_dir = tmp_path / "data"
    folder = convert(open_source(root, "folder:pets"), NAME, data_dir, dataset="folder:pets")
    description = Description.from_dict(json.loads((folder / prepared.DESCRIPTION).read_text()))
    assert (description.image_size, description.num_examples) == (10, {"train": 14, "test": 6})
    data, info = tfds.load(NAME, data_dir=data_dir, split="test", with_info=True)
    fine, coarse = (info.features[key].int2str for key in ("label", "coarse_label"))
    pairs = {(fine(int(each["label"])), coarse(int(each["coarse_label"]))) for each in tfds.as_numpy(data)}
    assert pairs == {("cat", "mammal"), ("dog", "mammal"), ("golden fish", "fish")}
    assert listing.changes(folder, open_source(root, "folder:pets").files()) == ""
    (root / "train/dog/1.png").unlink()
    (root / "train/cat/new.png").write_bytes((root / "train/cat/0.png").read_bytes())
    os.utime(root / "superclasses.csv", (0, 0))
    assert listing.changes(folder, open_source(root, "folder:pets").files()) == "1 added, 1 removed, 1 changed"
    assert sorted(path.name for path in root.iterdir()) == ["superclasses.csv", "test", "train"]
