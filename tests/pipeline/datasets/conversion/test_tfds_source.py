"""Data sets that others prepared with TFDS are found, read and converted; what cannot be used is one line."""

import shutil
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from pipeline import prepare
from pipeline.common import app, errors
from pipeline.data_config import SourceConfig
from pipeline.datasets.conversion import parts
from pipeline.datasets.conversion.convert import convert
from pipeline.datasets.conversion.tfds_source import open_source
from pipeline.datasets.description import Classes

ANIMALS = ("cat", "dog", "eel")
RGB = tfds.features.Image(shape=(8, 8, 3))


def image(seed, shape=(8, 8, 3), dtype=np.uint8):
    """Random pixels."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def examples(count, **values):
    """Examples with an image and values that follow from their numbers."""
    return [{"image": image(n), **{key: value(n) for key, value in values.items()}} for n in range(count)]


def write(data_dir, features, splits, *, name="pets", config=None, version="1.0.0", supervised=None):
    """A data set as TFDS writes it, in the order of the examples."""

    class Builder(tfds.dataset_builders.AdhocBuilder, skip_registration=True):
        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=self._feature_spec, supervised_keys=supervised, disable_shuffling=True
            )

    builder = Builder(
        name=name,
        version=version,
        config=config,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: list(enumerate(each)) for split, each in splits.items()},
        data_dir=data_dir,
    )
    builder.download_and_prepare()


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """The folder of TFDS."""
    folder = tmp_path / "tensorflow_datasets"
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def data_dir(tmp_path):
    """Our --data_dir."""
    return tmp_path / "data"


def items(source, split):
    """The items of a split: name, class, pixels."""
    found = source.items(split, 0, source.splits[split])
    return [(item.name, item.fine, item.load().pixels) for item in found]


def test_images_labels_names_and_splits_are_read_in_the_order_of_the_files(own_folder, data_dir, capsys, caplog):
    labels = tfds.features.ClassLabel(names=ANIMALS)
    splits = {
        split: examples(count, label=lambda n: n % 3) for split, count in (("train", 7), ("val", 3), ("extra", 2))
    }
    write(own_folder, {"image": RGB, "label": labels}, splits)
    source = open_source("pets", data_dir)
    assert source.classes == Classes(ANIMALS)
    assert source.splits == {"train": 7, "validation": 3}
    found = items(source, "train")
    assert [name for name, _, _ in found] == [f"train[{n}]" for n in range(7)]
    assert [fine for _, fine, _ in found] == [n % 3 for n in range(7)]
    assert all(np.array_equal(pixels, image(n)) for n, (_, _, pixels) in enumerate(found))
    assert [item.name for item in source.items("validation", 1, 3)] == ["val[1]", "val[2]"]
    announced = capsys.readouterr().err
    assert str(own_folder / "pets/1.0.0") in announced
    assert "extra" in announced
    assert "deprecated" not in caplog.text


def test_parts_are_cut_by_the_bytes_of_the_files(own_folder, data_dir, monkeypatch):
    """Whole parts are in memory, as many as there are processes."""
    features = {"image": RGB, "label": tfds.features.ClassLabel(names=ANIMALS)}
    write(own_folder, features, {"train": examples(8, label=lambda n: n % 3)})
    source = open_source("pets", data_dir)
    assert 8 * 8 * 3 < source.item_bytes < 8 * 8 * 3 + 200  # random pixels as PNG, and a label
    monkeypatch.setattr(parts, "MAX_BYTES", 4 * source.item_bytes)
    assert [len(part) for part in parts.cut(source.splits, 8, source.item_bytes)] == [4, 4]


@pytest.mark.parametrize(
    ("feature", "pixels", "conversion"),
    [
        (tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"), image(0, (20, 12, 3)), None),
        (tfds.features.Image(shape=(8, 8, 1)), image(0, (8, 8, 1)), "grey to RGB"),
        (
            tfds.features.Image(shape=(8, 8, 1), dtype=np.uint16),
            image(0, (8, 8, 1), np.uint16),
            "16 to 8 bits a channel",
        ),
        (tfds.features.Image(shape=(8, 8, 4)), image(0, (8, 8, 4)), "transparency over white"),
    ],
    ids=["jpeg", "grey", "16 bits", "alpha"],
)
def test_images_of_any_kind_are_decoded(own_folder, data_dir, feature, pixels, conversion):
    features = {"image": feature, "label": tfds.features.ClassLabel(names=ANIMALS)}
    write(own_folder, features, {"train": [{"image": pixels, "label": 0}]})
    (item,) = open_source("pets", data_dir).items("train", 0, 1)
    decoded = item.load()
    assert decoded.pixels.shape == (*pixels.shape[:2], 3)
    assert conversion is None or conversion in decoded.conversions


def test_whole_numbers_are_classes_that_are_named_by_them(own_folder, data_dir):
    features = {"image": RGB, "label": tfds.features.Scalar(np.int32)}
    write(own_folder, features, {"train": examples(6, label=lambda n: (3, 10, 7)[n % 3])})
    source = open_source("pets", data_dir)
    assert source.classes.fine == ("3", "7", "10")
    assert [fine for _, fine, _ in items(source, "train")] == [0, 2, 1, 0, 2, 1]


def test_images_without_a_label_are_not_used(own_folder, data_dir):
    features = {"image": RGB, "label": tfds.features.ClassLabel(names=ANIMALS)}
    splits = {"train": examples(4, label=lambda n: n - 2 if n else 0), "test": examples(2, label=lambda n: -1)}
    write(own_folder, features, splits)
    source = open_source("pets", data_dir)
    assert source.splits == {"train": 4}
    loads = [item.load for item in source.items("train", 0, 4)]
    with pytest.raises(ValueError, match="no label"):
        loads[1]()


def test_keys_choose_the_labels(own_folder, data_dir):
    kinds = tfds.features.ClassLabel(names=("fish", "mammal"))
    features = {"image": RGB, "label": kinds, "species": tfds.features.ClassLabel(names=ANIMALS), "weight": np.float32}
    animals = examples(6, label=lambda n: int(n % 3 < 2), species=lambda n: n % 3, weight=float)
    write(own_folder, features, {"train": animals}, supervised=("image", "label"))
    assert open_source("pets", data_dir).classes == Classes(("fish", "mammal"))
    both = open_source("pets", data_dir, fine_key="species", coarse_key="label").classes
    assert both == Classes(ANIMALS, ("fish", "mammal"), (1, 1, 0))
    for flag, wrong in (("fine_key", "weight"), ("coarse_key", "image"), ("fine_key", "colour")):
        with pytest.raises(errors.BadArgumentError, match=rf"{flag}={wrong}: expected one of label, species"):
            open_source("pets", data_dir, **{flag: wrong})
    swapped = r"coarse_key=species.*'mammal' in 'dog' \(train\[1\]\) and 'cat' \(train\[0\]\)|'cat'.*'dog'"
    with pytest.raises(errors.BadArgumentError, match=swapped):
        open_source("pets", data_dir, fine_key="label", coarse_key="species")


def test_superclasses_are_used_unasked_of_cifar100_alone(own_folder, data_dir):
    labels = {"label": tfds.features.ClassLabel(names=ANIMALS), "coarse_label": tfds.features.ClassLabel(num_classes=2)}
    values = examples(6, label=lambda n: n % 3, coarse_label=lambda n: int(n % 3 < 2))
    for name in ("cifar100", "pets"):
        write(own_folder, {"image": RGB, **labels}, {"train": values}, name=name, supervised=("image", "label"))
    assert open_source("cifar100", data_dir).classes == Classes(ANIMALS, ("0", "1"), (1, 1, 0))
    assert open_source("pets", data_dir).classes == Classes(ANIMALS)


def test_a_class_without_a_superclass_is_refused(own_folder, data_dir):
    labels = {"label": tfds.features.ClassLabel(names=ANIMALS), "kind": tfds.features.Scalar(np.int64)}
    write(own_folder, {"image": RGB, **labels}, {"train": examples(2, label=lambda n: n, kind=lambda n: 0)}, name="two")
    with pytest.raises(errors.BadArgumentError, match="'eel' has no image"):
        open_source("two", data_dir, fine_key="label", coarse_key="kind")
    values = examples(3, label=lambda n: n, kind=lambda n: -1 if n == 1 else 0)
    write(own_folder, {"image": RGB, **labels}, {"train": values}, name="three")
    with pytest.raises(errors.BadArgumentError, match=r"train\[1\] has no superclass"):
        open_source("three", data_dir, fine_key="label", coarse_key="kind")


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ({"image": tfds.features.Video(shape=(2, 8, 8, 3))}, r"one feature that is an image, got image \(Video\)"),
        ({"image": tfds.features.Image(shape=(8, 8, 1), dtype=np.float32)}, "floating-point"),
    ],
)
def test_what_is_no_image_is_refused(own_folder, data_dir, features, problem):
    (feature,) = features.values()
    value = np.zeros(feature.shape, feature.np_dtype)
    features = {**features, "label": tfds.features.ClassLabel(names=ANIMALS)}
    write(own_folder, features, {"train": [{"image": value, "label": 0}]})
    with pytest.raises(errors.BadArgumentError, match=problem):
        open_source("pets", data_dir)


def test_a_data_set_without_a_label_or_a_train_split_is_refused(own_folder, data_dir):
    write(own_folder, {"image": RGB}, {"train": examples(1)}, name="bare")
    with pytest.raises(errors.BadArgumentError, match="none"):
        open_source("bare", data_dir)
    features = {"image": RGB, "label": tfds.features.ClassLabel(names=ANIMALS)}
    write(own_folder, features, {"full": examples(1, label=lambda n: n)}, name="unsplit")
    with pytest.raises(errors.BadArgumentError, match="'train' with labels, got full"):
        open_source("unsplit", data_dir)


def test_damaged_files_are_one_line(own_folder, data_dir):
    features = {"image": RGB, "label": tfds.features.ClassLabel(names=ANIMALS)}
    write(own_folder, features, {"train": examples(5, label=lambda n: n % 3)})
    source = open_source("pets", data_dir)
    (path,) = (own_folder / "pets/1.0.0").glob("*.tfrecord*")
    data = path.read_bytes()
    path.write_bytes(data[:600] + bytes([data[600] ^ 1]) + data[601:])
    with pytest.raises(errors.FailedError, match=r"tfds:pets: .*damaged"):
        items(source, "train")


def test_it_is_converted_in_processes_of_their_own_and_nothing_is_written_to_its_folder(own_folder, data_dir):
    features = {"image": RGB, "label": tfds.features.ClassLabel(names=ANIMALS)}
    write(own_folder, features, {"train": examples(12, label=lambda n: n % 3), "test": examples(3, label=lambda n: n)})
    before = {path: path.stat().st_mtime_ns for path in own_folder.rglob("*")}
    source = open_source("pets", data_dir)
    folder = convert(source, "tfds_pets_01234567", data_dir, dataset="tfds:pets")
    data = tfds.load("tfds_pets_01234567", data_dir=data_dir, split="train")
    found = {each["image"].tobytes(): int(each["label"]) for each in tfds.as_numpy(data)}
    assert found == {image(n).tobytes(): n % 3 for n in range(12)}
    assert folder.is_relative_to(data_dir)
    assert {path: path.stat().st_mtime_ns for path in own_folder.rglob("*")} == before


@pytest.mark.parametrize("name", ["array_record", "riegeli"])
def test_files_of_a_format_that_is_not_read_are_named_in_one_line(name, own_folder, data_dir, monkeypatch):
    write(
        own_folder, {"image": RGB, "label": tfds.features.ClassLabel(names=ANIMALS)}, {"train": examples(3, label=int)}
    )
    info = own_folder / "pets/1.0.0/dataset_info.json"
    info.write_text(info.read_text().replace('"tfrecord"', f'"{name}"'))
    monkeypatch.setitem(sys.modules, "riegeli.tensorflow.ops", None)
    with pytest.raises(errors.FailedError) as refused:
        open_source("pets", data_dir)
    text = str(refused.value)
    assert text.startswith(f"dataset=tfds:pets: {info.parent} holds {name} files")
    assert "expected tfrecord" in text
    assert "\n" not in text


def test_what_tfds_has_prepared_again_is_noticed_without_tensorflow(own_folder, data_dir, monkeypatch, capsys):
    features = {"image": RGB, "label": tfds.features.ClassLabel(names=ANIMALS)}
    write(own_folder, features, {"train": examples(10, label=lambda n: n % 3)})
    own = SourceConfig(dataset="tfds:pets", data_dir=str(data_dir))
    prepare.prepare(own)
    monkeypatch.setattr(app, "load_tensorflow", lambda: pytest.fail("loaded"))
    prepare.prepare(own)
    assert "has changed since" not in capsys.readouterr().err
    write(own_folder, features, {"train": examples(11, label=lambda n: n % 3)}, version="1.0.1")
    prepare.prepare(own)
    assert "tfds:pets has changed since, files: " in capsys.readouterr().err
    shutil.rmtree(own_folder)
    prepare.prepare(own)
    assert "has changed since" not in capsys.readouterr().err
