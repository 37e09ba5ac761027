"""Parquet files of Hugging Face give the records of the official forms; others are refused in one line."""

import sys

import numpy as np
import pytest

from pipeline.common import errors
from pipeline.datasets.cifar import archive
from tests.pipeline.datasets import archives
from tests.pipeline.datasets.archives import SMALL, SMALL_CIFAR10
from tests.pipeline.datasets.cifar import parquet_files


def read(path, spec=SMALL_CIFAR10):
    return archive.read(path, spec, source="--archive=X")


def check_rows(result, spec):
    np.testing.assert_array_equal(result.train.rows, archives.rows("train", spec))
    np.testing.assert_array_equal(result.test.rows, archives.rows("test", spec))


@pytest.mark.parametrize("spec", archives.SMALL_SPECS.values(), ids=archives.SMALL_SPECS)
@pytest.mark.parametrize("place", [".", "plain_text", "snapshots/0a1b2c/plain_text"])
def test_a_folder_gives_the_records(spec, place, tmp_path):
    parquet_files.write_splits(tmp_path / place, spec)
    result = read(tmp_path, spec)
    check_rows(result, spec)
    assert (result.form, result.sha256) == ("parquet", None)


def test_one_file_stands_for_both_splits(tmp_path):
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10)
    (tmp_path / "data_batch_1").write_bytes(b"x")
    for split in ("train", "test"):
        result = read(tmp_path / f"{split}-00000-of-00001.parquet")
        check_rows(result, SMALL_CIFAR10)
        assert result.sha256 is None


def test_the_converted_branch_is_read(tmp_path):
    parquet_files.write_splits(tmp_path / "plain_text", SMALL_CIFAR10, names="{}/0000.parquet")
    check_rows(read(tmp_path), SMALL_CIFAR10)


def test_several_files_of_a_split_are_joined(tmp_path):
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10)
    (tmp_path / "train-00000-of-00001.parquet").unlink()
    rows = archives.rows("train", SMALL_CIFAR10)
    for number, part in enumerate(np.array_split(rows, 3)):
        values = parquet_files.columns(part, SMALL_CIFAR10)
        parquet_files.write(tmp_path / f"train-0000{number}-of-00003.parquet", values)
    check_rows(read(tmp_path), SMALL_CIFAR10)


def test_an_official_form_beside_other_parquet_files_is_used(tmp_path):
    archives.write_folder(tmp_path / "cifar-10-batches-py", archives.python_files(SMALL_CIFAR10))
    parquet_files.write(tmp_path / "train.parquet", {"x": [1]})
    parquet_files.write(tmp_path / "test.parquet", {"x": [1]})
    assert read(tmp_path).form == "cifar-10-batches-py"


GOOD = parquet_files.columns(archives.rows("train", SMALL_CIFAR10), SMALL_CIFAR10)
IMAGE = archives.pixels(archives.rows("train", SMALL_CIFAR10)[0])


def with_image(content):
    return {"img": [{"bytes": content, "path": None}, *GOOD["img"][1:]]}


WRONG = {
    "one record less": ({name: values[1:] for name, values in GOOD.items()}, "train has 49 records; expected 50"),
    "label out of range": ({"label": [10, *GOOD["label"][1:]]}, "has label 10; expected 0 to 9"),
    "label of two bytes": ({"label": [256, *GOOD["label"][1:]]}, "train: record 0 has 256 in 'label'"),
    "no label": ({"label": [None, *GOOD["label"][1:]]}, "train: 'label' must be a list of 50 integers"),
    "labels as text": ({"label": [str(label) for label in GOOD["label"]]}, "must be a list of 50 integers"),
    "a class missing": ({"label": [label or 1 for label in GOOD["label"]]}, "has 0 images of class 'airplane'"),
    "no image": (with_image(None), "image 0 of train is no PNG"),
    "damaged image": (with_image(GOOD["img"][0]["bytes"][:999]), "image 0 of train is no PNG, or a damaged one"),
    "JPEG": (with_image(parquet_files.png(IMAGE, "JPEG")), "image 0 of train is no PNG"),
    "grey image": (with_image(parquet_files.png(IMAGE[:, :, 0])), "is L of 32 x 32; expected RGB of 32 x 32"),
    "larger image": (with_image(parquet_files.png(IMAGE.repeat(2, 0))), "is RGB of 32 x 64; expected RGB of 32 x 32"),
    "images without bytes": ({"img": [{"path": "a.png"}] * 50}, "the column 'img' is struct<path: string>; expected"),
    "images as text": ({"img": ["a.png"] * 50}, "the column 'img' is string; expected a struct with bytes"),
    "dark images": (
        {"img": [{"bytes": parquet_files.png(IMAGE // 2), "path": None}] * 50},
        "channel means of train are 0.2",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_contents_are_named_in_one_line(kind, tmp_path):
    changes, message = WRONG[kind]
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10, **changes)
    with pytest.raises(errors.BadArgumentError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith("--archive=X: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "expected"), [("cifar10", "cifar100"), ("cifar100", "cifar10")])
def test_the_other_data_set_is_named(given, expected, tmp_path):
    parquet_files.write_splits(tmp_path, archives.SMALL_SPECS[given])
    with pytest.raises(
        errors.BadArgumentError, match=rf"it is {archives.SMALL_SPECS[given].title} \(--dataset={given}\)"
    ):
        read(tmp_path, archives.SMALL_SPECS[expected])


def test_swapped_levels_are_named(tmp_path):
    values = parquet_files.columns(archives.rows("train"), SMALL)
    swapped = {"fine_label": values["coarse_label"], "coarse_label": values["fine_label"]}
    parquet_files.write_splits(tmp_path, SMALL, **swapped)
    with pytest.raises(errors.BadArgumentError, match="the fine and the coarse labels of train are swapped"):
        read(tmp_path, SMALL)


def test_other_columns_are_named(tmp_path):
    for split in ("train", "test"):
        parquet_files.write(tmp_path / f"{split}.parquet", {"image": [1], "label": [2]})
    with pytest.raises(errors.BadArgumentError, match="the column 'img' is missing; found 'image', 'label'"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 9, b"text"])
def test_a_damaged_file_is_named_in_one_line(content, tmp_path):
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10)
    (tmp_path / "test-00000-of-00001.parquet").write_bytes(content)
    with pytest.raises(
        errors.BadArgumentError, match=r"test-00000-of-00001\.parquet is truncated or damaged"
    ) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_damaged_images_are_named_in_one_line(tmp_path):
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10)
    path = tmp_path / "train-00000-of-00001.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:5000] + bytes(5000) + content[10_000:])
    with pytest.raises(errors.BadArgumentError, match=r"train-00000-of-00001\.parquet is truncated or damaged"):
        read(tmp_path)


def test_an_unreadable_file_is_named(tmp_path):
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10)
    path = tmp_path / "train-00000-of-00001.parquet"
    path.unlink()
    path.symlink_to(tmp_path / "absent.parquet")
    with pytest.raises(errors.BadArgumentError, match=r"no train-\*\.parquet"):
        read(tmp_path)


def test_half_a_pair_is_named(tmp_path):
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10)
    (tmp_path / "test-00000-of-00001.parquet").unlink()
    for path in (tmp_path, tmp_path / "train-00000-of-00001.parquet"):
        with pytest.raises(errors.BadArgumentError, match=r"no train-\*\.parquet and test-\*\.parquet in one folder"):
            read(path)


def test_two_pairs_are_named(tmp_path):
    for spec in archives.SMALL_SPECS.values():
        parquet_files.write_splits(tmp_path / spec.name, spec)
    with pytest.raises(errors.BadArgumentError, match="of several data sets, in 'cifar10' and 'cifar100'"):
        read(tmp_path)


def test_the_extra_is_named_where_pyarrow_is_missing(tmp_path, monkeypatch):
    parquet_files.write_splits(tmp_path, SMALL_CIFAR10)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.BadArgumentError, match=r"pyarrow, which is not installed; .*\.\[parquet\]"):
        read(tmp_path)
