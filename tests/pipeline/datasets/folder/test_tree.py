import os
import pathlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common import errors
from pipeline.common.numbers import counted
from pipeline.datasets.description import Classes
from pipeline.datasets.folder import tree
from tests.pipeline.datasets.folder.test_walk import write


def read(root: pathlib.Path) -> tree.Tree:
    return tree.read(root, source="--dataset=folder:X")


def by_class(result: tree.Tree) -> dict[str, dict[str, set[str]]]:
    """The paths of each class of each split."""
    found: dict[str, dict[str, set[str]]] = {}
    for split, images in result.splits.items():
        assert sorted(images) == list(images)
        for path, number in images:
            found.setdefault(split, {}).setdefault(result.classes.fine[number], set()).add(path)
    return found


CAT_DOG = Classes(("cat", "dog"))
NESTED = Classes(("cat", "dog", "oak"), ("animals", "plants"), (0, 0, 1))
TREES = {  # the files and the classes; the folder above an image is that of its class
    "class folders": (("dog/1.jpg", "cat/1.jpg", "cat/2.png"), CAT_DOG),
    "classes of numbers": (("10/1.jpg", "9/1.jpg"), Classes(("10", "9"))),
    "capitals first, as in torchvision": (("b/1.jpg", "B/1.jpg", "a/1.jpg"), Classes(("B", "a", "b"))),
    "names with spaces and letters": (("big cat/1 2.jpg", "\u72ac/1.jpg"), Classes(("big cat", "\u72ac"))),
    "a class called train": (("train/1.jpg", "bus/1.jpg"), Classes(("bus", "train"))),
    "superclasses": (("animals/cat/1.jpg", "animals/dog/1.jpg", "plants/oak/1.jpg"), NESTED),
    "a class in a superclass of its name": (
        ("a/a/1.jpg", "b/b/1.jpg", "b/c/1.jpg"),
        Classes(("a", "b", "c"), ("a", "b"), (0, 1, 1)),
    ),
}


@pytest.mark.parametrize("kind", TREES)
@pytest.mark.parametrize("prefix", ["", "train/", "Training/"])
def test_folders_are_classes(kind, prefix, tmp_path):
    files, classes = TREES[kind]
    result = read(write(tmp_path, *(f"{prefix}{path}" for path in files)))
    assert result.classes == classes
    assert list(result.splits) == ["train"]
    for path, number in result.splits["train"]:
        assert pathlib.PurePath(path).parent.name == classes.fine[number]
    assert len(result.splits["train"]) == len(files)


@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("TRAIN", "Val", "Test"), ("training", "valid", "testing")]
)
def test_official_splits_are_read(names, tmp_path):
    train, validation, test = names
    write(tmp_path, *(f"{split}/{name}/{split}.jpg" for split in names for name in ("cat", "dog")))
    assert by_class(read(tmp_path)) == {
        split: {name: {f"{folder}/{name}/{folder}.jpg"} for name in ("cat", "dog")}
        for split, folder in (("train", train), ("validation", validation), ("test", test))
    }


def test_splits_may_have_superclasses_and_lack_classes(tmp_path):
    files = ["animals/cat/1.jpg", "animals/dog/1.jpg", "plants/oak/1.jpg"]
    write(tmp_path, *(f"train/{path}" for path in files), f"test/{files[1]}")
    result = read(tmp_path)
    assert result.classes == NESTED
    assert result.splits["test"] == (("test/animals/dog/1.jpg", 1),)
    assert any("test" in note and "'cat', 'oak'" in note for note in result.notes)


# Two levels of folders that are no superclasses: torchvision's reading.
FURTHER_FOLDERS = {
    "one inner folder each": ("cat/images/1.jpg", "dog/images/1.jpg"),
    "inner folders of one name": ("cat/2024/1.jpg", "cat/2025/1.jpg", "dog/2025/1.jpg"),
    "an inner folder in two outer ones": ("cat/a/1.jpg", "cat/b/1.jpg", "dog/b/1.jpg", "dog/c/1.jpg"),
    "an image in an outer folder": ("cat/old/1.jpg", "cat/new/1.jpg", "dog/1.jpg", "dog/other/1.jpg"),
    "a folder of its own each": ("cat/cats/1.jpg", "dog/dogs/1.jpg"),
    "more levels": ("cat/a/b/c/1.jpg", "dog/a/1.jpg"),
}


@pytest.mark.parametrize("kind", FURTHER_FOLDERS)
def test_images_in_further_folders_belong_to_the_class(kind, tmp_path):
    result = read(write(tmp_path, *FURTHER_FOLDERS[kind]))
    assert result.classes == CAT_DOG
    for path, number in result.splits["train"]:
        assert path.split("/")[0] == CAT_DOG.fine[number]
    count = sum(path.count("/") > 1 for path in FURTHER_FOLDERS[kind])
    assert any(note.startswith(f"{counted(count, 'image')} in folders below") for note in result.notes)


def test_images_in_further_folders_belong_to_the_class_below_a_superclass(tmp_path):
    files = ("animals/cat/old/1.jpg", "animals/dog/1.jpg", "plants/oak/1.jpg")
    result = read(write(tmp_path, *files))
    assert result.classes == NESTED
    assert by_class(result)["train"]["cat"] == {files[0]}


def test_superclasses_come_from_a_file_and_then_outer_folders_are_classes(tmp_path):
    write(tmp_path, "train/cat/old/1.jpg", "train/dog/new/1.jpg", "train/dog/newer/1.jpg", "train/oak/leaf/1.jpg")
    (tmp_path / "superclasses.csv").write_text("fine,coarse\noak,plants\ncat,animals\ndog,animals\n")
    result = read(tmp_path)
    assert result.classes == NESTED
    assert not any("left out" in note for note in result.notes)
    outer = tree.read(tmp_path, source="--dataset=folder:X", finds_superclasses=False)
    assert outer.classes == Classes(NESTED.fine)
    assert any("left out: 1 .csv" in note for note in outer.notes)


def test_superclasses_that_are_found_are_announced_and_can_be_refused(tmp_path):
    files, classes = TREES["superclasses"]
    write(tmp_path, *files)
    assert "3 classes in 2 superclasses, by two levels of folders: animals/cat, ..." in read(tmp_path).notes[0]
    outer = tree.read(tmp_path, source="--dataset=folder:X", finds_superclasses=False)
    assert outer.classes == Classes(classes.coarse)
    assert [number for _, number in outer.splits["train"]] == [0, 0, 1]


def test_names_are_the_same_on_macos(tmp_path):
    write(tmp_path, "train/caf\u00e9/1.jpg", "train/bar /1.jpg", "test/cafe\u0301/1.jpg")
    result = read(tmp_path)
    assert result.classes == Classes(("bar", "caf\u00e9"))
    assert by_class(result)["test"] == {"caf\u00e9": {"test/cafe\u0301/1.jpg"}}


def test_what_is_no_image_of_a_class_is_counted(tmp_path):
    write(
        tmp_path,
        "cat/1.jpg",
        "cat/2.jpg",
        "dog/1.jpg",
        "banner.png",
        "cat/notes.txt",
        ".git/",
        "Dog/1.jpg",
        "dog/a.zip",
        "dog/b.zip",
    )
    notes = "\n".join(read(tmp_path).notes)
    assert "1 image outside" in notes
    assert "2 .zip, 1 .txt, 1 hidden" in notes
    assert "'Dog', 'dog'" in notes


def test_an_image_beside_the_splits_is_counted(tmp_path):
    result = read(write(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/dog/1.jpg", "banner.png"))
    assert sum(map(len, result.splits.values())) == 3
    assert any("1 image outside" in note for note in result.notes)


def test_a_note_names_three_of_many_classes(tmp_path):
    write(tmp_path, *(f"train/{name}/1.jpg" for name in "abcdefg"), "test/a/1.jpg")
    assert any("'b', 'c', 'd' and 3 more" in note for note in read(tmp_path).notes)


def test_a_folder_without_images_beside_the_splits_does_not_matter(tmp_path):
    write(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "annotations/1.xml", "val/", "test/dog/")
    assert list(read(tmp_path).splits) == ["train"]


REFUSED = {
    "nothing": ((), "empty folder"),
    "no image": (("cat/1.txt", "dog/2.txt"), "2 .txt"),
    "images only": (("1.jpg", "2.jpg"), "the folder above"),
    "one class": (("cat/1.jpg",), "'cat' only"),
    "the folder above": (("data/cat/1.jpg", "data/dog/1.jpg"), "'data' only"),
    "train in train": (("train/train/cat/1.jpg", "train/train/dog/1.jpg"), "'train' only"),
    "an empty class": (("cat/1.jpg", "dog/1.jpg", "cow/", "ox/1.txt"), "'cow', 'ox'"),
    "an empty class of a split": (("train/cat/1.jpg", "train/dog/1.jpg", "train/cow/"), "'train/cow'"),
    "an empty class of a superclass": (("a/b/1.jpg", "a/c/1.jpg", "d/e/1.jpg", "d/f/"), "'d/f'"),
    "an empty superclass": (("a/b/1.jpg", "a/c/1.jpg", "d/e/1.jpg", "g/"), "'g'"),
    "a class in test only": (("train/cat/1.jpg", "train/dog/1.jpg", "test/cow/1.jpg"), "test, got 'cow'"),
    "a class of another case in test": (("train/cat/1.jpg", "train/dog/1.jpg", "test/Cat/1.jpg"), "'Cat'"),
    "a class of another superclass in test": (
        ("train/a/cat/1.jpg", "train/a/dog/1.jpg", "train/b/oak/1.jpg", "test/b/dog/1.jpg", "test/c/cat/1.jpg"),
        "'c'",
    ),
    "test images without classes": (("train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg"), "'test'"),
    "training images without classes": (("train/1.jpg", "test/cat/1.jpg", "test/dog/1.jpg"), "'train'"),
    "no training images": (("val/cat/1.jpg", "test/cat/1.jpg", "test/dog/1.jpg"), "'test', 'val' only"),
    "two validation splits": (
        ("train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "valid/dog/1.jpg"),
        "'val', 'valid'",
    ),
    "two training splits": (("train/cat/1.jpg", "Train/dog/1.jpg"), "'Train', 'train'"),
    "another folder beside the splits": (("train/cat/1.jpg", "train/dog/1.jpg", "pred/1.jpg"), "'pred'"),
    "one name in two forms of Unicode": (("caf\u00e9/1.jpg", "cafe\u0301/1.jpg", "a/1.jpg"), r"'caf\xe9'"),
    "one name but for a space": (("cat/1.jpg", "cat /1.jpg", "a/1.jpg"), "'cat '"),
    "a name in two lines": (("c\nat/1.jpg", "dog/1.jpg"), r"'c\nat'"),
    "a name with a separator of lines": (("c\u2028at/1.jpg", "dog/1.jpg"), r"'c\u2028at'"),
    "a name of a space": ((" /1.jpg", "dog/1.jpg"), "''"),
    "a name that is not UTF-8": ((os.fsdecode(b"c\xffat/1.jpg"), "dog/1.jpg"), r"'c\udcffat'"),
    "a superclass in two lines": (("a\n/b/1.jpg", "a\n/c/1.jpg", "d\ne/f/1.jpg"), r"'d\ne'"),
    "superclasses.csv without a class": (("cat/1.jpg", "dog/1.jpg", "superclasses.csv"), "superclasses.csv: "),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_every_other_folder_is_refused_in_one_line(kind, tmp_path):
    files, part = REFUSED[kind]
    write(tmp_path, *files)
    with pytest.raises(errors.BadArgumentError) as caught:
        read(tmp_path)
    text = str(caught.value)
    assert text.startswith("--dataset=folder:X: ")
    assert part in text
    assert text.isprintable()  # one line that every terminal shows


def test_what_is_no_folder_is_refused(tmp_path):
    write(tmp_path, "data.zip")
    with pytest.raises(errors.BadArgumentError, match="file"):
        read(tmp_path / "data.zip")
    with pytest.raises(errors.BadArgumentError, match="no such folder"):
        read(tmp_path / "gone")


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def deny(path):
        raise PermissionError(13, "Permission denied", str(path))

    write(tmp_path, "cat/1.jpg", "dog/1.jpg")
    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(errors.BadArgumentError, match=f"{tmp_path.name}.*Permission denied"):
        read(tmp_path)


NAMES = st.text(string.ascii_letters + "0123456789 _-é", min_size=1, max_size=6).map(lambda name: f"x{name}x")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(classes=st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=3, unique=True), min_size=2, max_size=5))
def test_every_image_is_in_one_split_with_the_class_of_its_folder(classes, tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    files = {f"{name}/{image}.jpg" for name, images in classes.items() for image in images}
    result = read(write(root, *files))
    assert result.classes.fine == tuple(sorted(classes))
    assert {path for path, _ in result.splits["train"]} == files
    assert len(result.splits["train"]) == len(files)
    assert all(path.split("/")[0] == result.classes.fine[number] for path, number in result.splits["train"])
