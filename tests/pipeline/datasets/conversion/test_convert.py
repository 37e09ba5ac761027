"""A source becomes a data set in canonical order, which stock TFDS reads; what it held is reported."""

import dataclasses
import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pipeline import contents
from pipeline.common import errors, files
from pipeline.datasets import digest_cache, integrity, labels, png, prepared
from pipeline.datasets.canonical import Digests, Fingerprints
from pipeline.datasets.conversion import convert as conversion
from pipeline.datasets.conversion import first_pass, listing, preparation_report, second_pass
from pipeline.datasets.conversion.convert import convert
from pipeline.datasets.conversion.parts import PartFolder
from pipeline.datasets.description import Classes, Description
from tests.pipeline.datasets.conversion.drawn_source import Drawing, DrawnSource, draw, with_changes

NAME = "folder_pets_01234567"
TWO_LEVELS = Classes(("cat", "dog", "golden fish"), ("fish", "mammal"), (1, 1, 0))
# What stock TFDS reads, in a process that cannot import this package.
STOCK_LOAD = """
import json, sys
sys.modules["pipeline"] = None
import tensorflow_datasets as tfds
for name in sys.argv[2:]:
    data, info = tfds.load(name, data_dir=sys.argv[1], with_info=True)
    keys = [key for key in info.features if key.endswith("label")]
    examples = {split: list(tfds.as_numpy(data[split])) for split in data}
    print(json.dumps({
        "names": {key: info.features[key].names for key in keys},
        "labels": {split: [{key: int(each[key]) for key in keys} for each in examples[split]] for split in examples},
        "pixels": {split: [each["image"].tobytes().hex() for each in examples[split]] for split in examples},
        "ids": [each["id"].decode() for split in examples for each in examples[split]],
        "supervised": list(info.supervised_keys),
    }))
"""

pytestmark = pytest.mark.usefixtures("in_one_process")


def convert_to(data_dir, source, **options):
    return convert(source, NAME, data_dir, **{"dataset": "folder:pets", **options})


def report_of(folder):
    report = preparation_report.read(folder)
    assert report is not None
    return report


def describe(folder):
    return Description.from_dict(json.loads((folder / prepared.DESCRIPTION).read_text()))


def loaded(log):
    return sorted(log.read_text().split()) if log.exists() else []


def test_stock_tfds_reads_images_labels_and_names_without_this_package(tmp_path):
    one = DrawnSource({"train": draw("train", 4, 3), "test": draw("test", 2, 2, first_seed=100)})
    two = DrawnSource({"train": draw("train", 5, 5, 5), "validation": draw("val", 1, 1, 1, first_seed=100)}, TWO_LEVELS)
    for name, source in {"one": one, "two": two}.items():
        integrity.check(convert(source, name, tmp_path, dataset=f"folder:{name}"))
    environment = {**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", STOCK_LOAD, str(tmp_path), "one", "two"]
    lines = subprocess.run(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, check=True
    ).stdout.splitlines()
    for line, source in zip(map(json.loads, lines), (one, two), strict=True):
        names = {"label": source.classes.fine, "coarse_label": source.classes.coarse}
        assert line["names"] == {key: list(value) for key, value in names.items() if value}
        drawings = {each.pixels.tobytes().hex(): each for every in source.drawings.values() for each in every}
        for split, pixels in line["pixels"].items():
            for fine, found in zip((drawings[each].fine for each in pixels), line["labels"][split], strict=True):
                coarse = {"coarse_label": source.classes.fine_to_coarse[fine]} if source.classes.coarse else {}
                assert found == {"label": fine, **coarse}
        assert sorted(each for pixels in line["pixels"].values() for each in pixels) == sorted(drawings)
        assert len(set(line["ids"])) == len(drawings)
        assert line["supervised"] == ["image", "label"]


def test_records_are_in_canonical_order_and_their_fingerprint_is_that_of_any_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(second_pass, "SHARD_BYTES", 3 * 8 * 8 * 5)
    drawings = {"train": draw("train", 8, 8, 7), "test": draw("test", 2, 2, 2, first_seed=100)}
    folder = convert_to(tmp_path, DrawnSource(drawings, TWO_LEVELS))
    assert len([*folder.glob(f"{NAME}-train.tfrecord-*-of-00005")]) == 5
    examples = {
        split: [(each.pixels, each.fine, TWO_LEVELS.fine_to_coarse[each.fine]) for each in drawings[split]]
        for split in drawings
    }
    expected = Fingerprints.of({split: Digests.of(examples[split]) for split in examples}).records
    description = describe(folder)
    assert description.fingerprints == Fingerprints(expected, expected)
    kept = digest_cache.read(folder)
    assert kept is not None
    assert Fingerprints.of(kept) == description.fingerprints
    assert prepared.provenance(tmp_path, NAME)["fingerprints"] == description.fingerprints.as_dict()


@dataclasses.dataclass(frozen=True)
class Picture(Drawing):
    """A drawing of given pixels."""

    image: np.ndarray = dataclasses.field(kw_only=True)

    @property
    def pixels(self):
        return self.image


def test_the_images_of_cifar100_have_the_fingerprints_of_cifar100(tmp_path, small_data_dir):
    cifar100 = prepared.folder(small_data_dir, "cifar100")
    pictures = {
        split: [
            Picture(f"{split}_{n}", fine, n, image=image)
            for n, (image, fine, _) in enumerate(contents.examples(cifar100, split))
        ]
        for split in ("test", "train")
    }
    classes = Classes(labels.FINE_NAMES, labels.COARSE_NAMES, labels.FINE_TO_COARSE)
    assert list(classes.coarse) == sorted(classes.coarse)  # as those of folders are
    folder = convert_to(tmp_path, DrawnSource(pictures, classes))
    assert describe(folder).fingerprints == contents.fingerprints(cifar100)


def test_description_has_exact_statistics_of_train(tmp_path):
    drawings = {"train": draw("train", 6, 5), "test": draw("test", 1, 1, first_seed=100)}
    description = describe(convert_to(tmp_path, DrawnSource(drawings)))
    pixels = np.stack([each.pixels for each in drawings["train"]]).reshape(-1, 3).astype(np.float64)
    assert description.channel_means == pytest.approx(pixels.mean(axis=0), rel=1e-12)
    assert description.channel_deviations == pytest.approx(pixels.std(axis=0), rel=1e-12)
    assert (description.dataset, description.image_size) == ("folder:pets", 8)
    assert (description.classes.fine, description.classes.coarse) == (("cat", "dog"), ())
    assert description.num_examples == {"train": 11, "test": 2}


def test_ten_thousand_classes(tmp_path):
    classes = Classes(tuple(f"class {number:05d}" for number in range(10_000)))
    drawings = {"train": draw("train", *[1] * 10_000), "test": draw("test", 1, first_seed=20_000)}
    folder = convert_to(tmp_path, DrawnSource(drawings, classes))
    integrity.check(folder)
    description = describe(folder)
    assert description.classes == classes
    assert description.num_examples["train"] == 10_000


def test_a_source_without_a_test_split_gives_a_fifth_of_each_class(tmp_path):
    folder = convert_to(tmp_path, DrawnSource({"train": draw("train", 50, 20)}))
    report = report_of(folder)
    assert report["class_counts"] == {"train": {"cat": 40, "dog": 16}, "test": {"cat": 10, "dog": 4}}
    assert not report["is_test_split_official"]


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [((3, 3), None, {"test": 1}), ((3, 0), (1, 1), {"train": 1}), ((8, 8), (0, 1), {"test": 1}), ((3, 3), (1, 1), {})],
)
def test_classes_without_an_image_in_a_split_are_told(train, test, expected, tmp_path, capsys):
    drawings = {"train": draw("train", *train), **({"test": draw("test", *test, first_seed=100)} if test else {})}
    report = report_of(convert_to(tmp_path, DrawnSource(drawings)))
    missing = {
        split: [name for name, count in counts.items() if not count] for split, counts in report["class_counts"].items()
    }
    told = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert {split: len(names) for split, names in missing.items() if names} == expected
    assert len(told) == len(expected)
    for line, split in zip(told, expected, strict=True):
        assert f" {split} " in line
        assert all(name in line for name in missing[split])


def test_equal_images_are_kept_and_named(tmp_path):
    train = draw("train", 10, 10)
    train = with_changes(train, 1, 2, seed=500)  # two cats
    train = with_changes(train, 3, 15, seed=600)  # a cat and a dog
    test = with_changes(draw("test", 2, 2, first_seed=100), 0, seed=7)  # a cat of both splits
    report = report_of(convert_to(tmp_path, DrawnSource({"train": train, "test": test})))
    found = report["equal_images"]
    assert {kind: found[kind]["num_groups"] for kind in found} == {
        "within_class": 2,
        "across_classes": 1,
        "across_splits": 1,
    }
    assert sorted(map(sorted, found["within_class"]["listed"])) == [["test_0", "train_7"], ["train_1", "train_2"]]
    assert [sorted(names) for names in found["across_classes"]["listed"]] == [["train_15", "train_3"]]
    assert report["num_images"] == {"train": 20, "test": 4}
    assert report["num_different_images"] == {"train": 18, "test": 4}


def test_the_first_two_of_equal_images_are_of_two_classes_or_splits_or_of_one_class(tmp_path):
    train = with_changes(draw("train", 10, 10), 3, 4, 15, 16, seed=600)  # two cats and two dogs
    test = with_changes(draw("test", 2, 2, first_seed=100), 0, seed=600)  # another cat
    report = report_of(convert_to(tmp_path, DrawnSource({"train": train, "test": test})))
    pairs = {kind: found["listed"][0][:2] for kind, found in report["equal_images"].items()}
    label = {drawing.name: drawing.fine for drawing in (*train, *test)}
    assert len({label[name] for name in pairs["within_class"]}) == 1
    assert {label[name] for name in pairs["across_classes"]} == {0, 1}
    assert {name.split("_")[0] for name in pairs["across_splits"]} == {"train", "test"}


def test_an_image_alone_in_its_class_is_not_listed_as_equal_within_it(tmp_path):
    train = with_changes(draw("train", 10, 10), 3, 4, 15, seed=600)  # two cats and a dog
    report = report_of(convert_to(tmp_path, DrawnSource({"train": train, "test": draw("test", 1, 1, first_seed=100)})))
    assert [sorted(names) for names in report["equal_images"]["within_class"]["listed"]] == [["train_3", "train_4"]]
    assert [len(names) for names in report["equal_images"]["across_classes"]["listed"]] == [3]


def test_conversions_are_counted_and_sizes_are_made_one(tmp_path):
    train = with_changes(draw("train", 5, 5), 0, 1, conversions=("grey to RGB",))
    train = with_changes(train, 9, size=(20, 30))
    folder = convert_to(tmp_path, DrawnSource({"train": train, "test": draw("test", 1, 1, first_seed=100)}))
    assert describe(folder).image_size == first_pass.SIZE_OF_OTHERS
    assert report_of(folder)["conversions"] == {"resized to 64 x 64 pixels": 12, "grey to RGB": 2}


@pytest.mark.parametrize(
    ("size", "given", "expected"),
    [((8, 8), 0, 8), ((224, 224), 0, 224), ((225, 225), 0, 64), ((7, 7), 0, 64), ((9, 8), 0, 64), ((8, 8), 16, 16)],
)
def test_the_size_is_the_images_own_where_it_can_be(tmp_path, size, given, expected):
    drawings = {"train": draw("train", 1, 1, size=size), "test": draw("test", 1, first_seed=9, size=size)}
    assert describe(convert_to(tmp_path, DrawnSource(drawings), image_size=given)).image_size == expected


def test_images_of_no_use_are_left_out_and_named(tmp_path, capsys):
    train = with_changes(draw("train", 5, 5), 4, problem="is empty")
    folder = convert_to(tmp_path, DrawnSource({"train": train, "test": draw("test", 1, 1, first_seed=100)}))
    assert report_of(folder)["bad_images"] == {"count": 1, "listed": {"train_4": "is empty"}}
    assert describe(folder).num_examples["train"] == 9
    assert "train_4" in capsys.readouterr().err


def test_images_of_no_use_are_refused_and_afterwards_left_out_without_reading_again(tmp_path, capsys):
    log = tmp_path / "log"
    train = with_changes(draw("train", 5, 5), 4, 6, problem="is empty")
    source = DrawnSource({"train": train, "test": draw("test", 1, 1, first_seed=100)}, log=log)
    named = prepared.parts_folder(tmp_path, NAME) / conversion.BAD_IMAGES
    with pytest.raises(errors.BadArgumentError, match=f"2 of 12 images .* train_4, which is empty; {named} .*skip"):
        convert_to(tmp_path, source, on_bad_image="fail")
    assert "again" not in capsys.readouterr().err  # the same command would be refused again
    assert json.loads(named.read_text()) == {"train_4": "is empty", "train_6": "is empty"}
    assert not prepared.is_prepared(tmp_path, NAME)
    log.unlink()
    convert_to(tmp_path, source, on_bad_image="skip")
    assert loaded(log) == []


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_images_of_use_is_refused(tmp_path, split):
    drawings = {"train": draw("train", 3, 3), "test": draw("test", 1, 1, first_seed=100)}
    drawings[split] = with_changes(drawings[split], *range(6), problem="is empty")
    with pytest.raises(errors.BadArgumentError, match=rf"no image for {split}; .* {split}_0, which is empty"):
        convert_to(tmp_path, DrawnSource(drawings))


@pytest.mark.parametrize("drawings", [draw("train", 2, 2), with_changes(draw("train", 9, 9), *range(18), seed=1)])
def test_train_images_that_give_no_test_split_are_refused(tmp_path, drawings):
    with pytest.raises(errors.BadArgumentError, match=r"no image for test.* 5 or more different images"):
        convert_to(tmp_path, DrawnSource({"train": drawings}))


@pytest.mark.parametrize("name", ["", " cat", "cat\n", "a\nb", "a\rb", "\udcff"])
def test_a_class_name_that_tfds_would_change_is_refused(tmp_path, name):
    source = DrawnSource({"train": draw("train", 3, 3)}, Classes((name, "dog")))
    with pytest.raises(errors.BadArgumentError, match="rename it"):
        convert_to(tmp_path, source)


def test_a_prepared_data_set_is_kept_unless_it_is_to_be_replaced(tmp_path):
    log = tmp_path / "log"
    first = DrawnSource({"train": draw("train", 5, 5)}, log=log)
    folder = convert_to(tmp_path, first)
    before = describe(folder)
    log.unlink()
    second = DrawnSource({"train": draw("train", 6, 6)}, log=log)
    assert convert_to(tmp_path, second) == folder
    assert (describe(folder), loaded(log)) == (before, [])
    assert convert_to(tmp_path, second, replace=True) == folder
    assert describe(folder).num_examples == {"train": 10, "test": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".prepare.lock", NAME, "log"]


def test_files_that_were_added_removed_or_changed_are_counted(tmp_path):
    train = draw("train", 5, 5)
    folder = convert_to(tmp_path, DrawnSource({"train": train}))
    assert listing.changes(folder, DrawnSource({"train": train[::-1]}).files()) == ""
    others = [*with_changes(train[3:], 2, seed=99), *draw("new", 2, first_seed=50)]
    assert listing.changes(folder, DrawnSource({"train": others}).files()) == "2 added, 3 removed, 1 changed"
    assert listing.changes(folder, DrawnSource({"train": train}, mtime=1).files()) == "10 changed"


def test_a_damaged_listing_is_one_line(tmp_path):
    source = DrawnSource({"train": draw("train", 5, 5)})
    folder = convert_to(tmp_path, source)
    (folder / listing.FILE).write_bytes(b"damaged")
    with pytest.raises(errors.DamagedError, match=listing.FILE):
        listing.changes(folder, source.files())


def test_a_report_that_breaks_its_schema_is_refused(tmp_path):
    folder = convert_to(tmp_path, DrawnSource({"train": draw("train", 5, 5)}))
    files.write_json(folder / preparation_report.FILE, {**report_of(folder), "conversions": {"grey": -1}})
    with pytest.raises(errors.DamagedError, match="conversions"):
        preparation_report.read(folder)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), errors.FailedError("died")]
)
def test_a_call_that_ends_early_names_what_it_keeps_and_the_next_one_continues(tmp_path, monkeypatch, capsys, error):
    log = tmp_path / "log"
    source = DrawnSource({"train": draw("train", 30, 30)}, log=log)
    encode = png.encode

    parts_folder = prepared.parts_folder(tmp_path, NAME)
    half_written = parts_folder / files.partial_name("00002.images.npy")  # of a process that was killed

    def end(image):
        half_written.touch()
        raise error

    monkeypatch.setattr(png, "encode", end)
    with pytest.raises((KeyboardInterrupt, errors.FailedError)):
        convert_to(tmp_path, source)
    (told,) = [line for line in capsys.readouterr().err.splitlines() if str(parts_folder) in line]
    assert "again" in told
    assert not half_written.exists()
    assert len(loaded(log)) == 61  # the first one was read for its size too
    log.unlink()
    (parts_folder / "00002.records.npz").unlink()
    monkeypatch.setattr(png, "encode", encode)
    convert_to(tmp_path, source)
    assert loaded(log) == [f"train_{number}" for number in range(20, 30)]
    assert not parts_folder.parent.exists()


def test_a_call_that_ends_before_its_first_part_leaves_nothing(tmp_path, monkeypatch):
    def fail(part_folder, part, images, records):
        raise errors.WriteError("the disk is full")

    monkeypatch.setattr(PartFolder, "write", fail)
    with pytest.raises(errors.WriteError):
        convert_to(tmp_path, DrawnSource({"train": draw("train", 5, 5)}))
    assert not prepared.parts_folder(tmp_path, NAME).parent.exists()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    "other",
    [
        DrawnSource({"train": draw("train", 15, 15)}, mtime=1),
        DrawnSource({"train": draw("train", 15, 15)}, Classes(("cat", "hound"))),
        DrawnSource({"train": draw("train", 15, 16)}),
    ],
    ids=["time", "classes", "files"],
)
def test_parts_of_another_source_are_not_used(tmp_path, other):
    source = DrawnSource({"train": with_changes(draw("train", 15, 15), 3, problem="is empty")})
    with pytest.raises(errors.BadArgumentError):
        convert_to(tmp_path, source, on_bad_image="fail")
    assert describe(convert_to(tmp_path, other)).num_examples["train"] + 6 == other.splits["train"]
