"""A set of records has one stream and one validation split, whoever prepared it, in whatever order."""

import itertools
import json
import os
import pathlib
import shutil
import tempfile
import types

import numpy as np
import pytest
import tensorflow as tf

from pipeline import contents, prepare, source
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import DataConfig, SourceConfig
from pipeline.datasets import prepared
from tests.pipeline.datasets import archives
from tests.pipeline.datasets.archives import SMALL


@pytest.fixture(scope="module")
def reordered_archive(tmp_path_factory):
    """The same records in another order."""
    tables = {split: np.random.default_rng(5).permutation(archives.rows(split)) for split in ("train", "test")}
    files = {**archives.binary_files(), **{f"{split}.bin": table.tobytes() for split, table in tables.items()}}
    return archives.write_tar(tmp_path_factory.mktemp("reordered") / "small.tar.gz", files)


@pytest.fixture(scope="module")
def stock_data_dir(tmp_path_factory):
    """A folder that TFDS's own builder prepared from the same records, as `tfds.load` does."""
    from tensorflow_datasets.image_classification import cifar

    source = tmp_path_factory.mktemp("source")
    archives.write_folder(source / "cifar-100-binary", archives.binary_files())
    builder = cifar.Cifar100(data_dir=tmp_path_factory.mktemp("stock"))
    generators = builder._split_generators
    builder._split_generators = lambda _: generators(
        types.SimpleNamespace(download_and_extract=lambda _url: str(source))
    )
    builder.download_and_prepare()
    return builder.data_path.parent.parent


@pytest.fixture
def file_order_data_dir(stock_data_dir, tmp_path):
    """A folder as earlier versions left it: TFDS's order of the archive's records, and a provenance."""
    data_dir = shutil.copytree(stock_data_dir, tmp_path / "earlier")
    recorded = {"dataset": "cifar100", "how": "archive", "path": "/somewhere", "records_sha256": {}}
    (prepared.folder(data_dir, "cifar100") / prepared.PROVENANCE).write_text(json.dumps(recorded))
    return data_dir


def stream(data_dir, **changes):
    """The bytes of the first training batches and of the validation images."""
    opened = OpenedData(DataConfig(data_dir=str(data_dir), num_validation=100, batch_size=50, **changes))
    batches = itertools.islice(opened.train(seed=0).as_numpy_iterator(), 12)
    held_out = [example["image"].tobytes() for example in opened.examples("validation").unbatch().as_numpy_iterator()]
    return [batch["image"].tobytes() + batch["fine"].tobytes() for batch in batches], held_out


def test_records_in_another_order_give_the_same_data_set(small_data_dir, reordered_archive, tmp_path):
    prepare.prepare(SourceConfig(data_dir=str(tmp_path), archive=str(reordered_archive)), spec=SMALL)
    folders = [prepared.folder(data_dir, "cifar100") for data_dir in (small_data_dir, tmp_path)]
    first, second = map(contents.fingerprints, folders)
    assert first == second
    assert first.order == first.records
    assert stream(small_data_dir) == stream(tmp_path)


def test_a_folder_of_stock_tfds_has_the_same_records_and_validation_images(stock_data_dir, small_data_dir):
    stock, ours = (
        contents.fingerprints(prepared.folder(each, "cifar100")) for each in (stock_data_dir, small_data_dir)
    )
    assert stock.records == ours.records
    assert stock.order != ours.order
    (train, held_out), (our_train, our_held_out) = stream(stock_data_dir), stream(small_data_dir)
    assert sorted(held_out) == sorted(our_held_out)
    assert train != our_train


def test_an_archive_of_the_records_of_a_stock_folder_is_accepted(stock_data_dir, archive, capsys):
    prepare.prepare(SourceConfig(data_dir=str(stock_data_dir), archive=str(archive)), spec=SMALL)
    assert "another file with the same records" in capsys.readouterr().err


def test_a_folder_in_file_order_is_refused_but_by_the_binary(file_order_data_dir, small_data_dir):
    config = SourceConfig(data_dir=str(file_order_data_dir))
    for open_data in (prepare.prepare, source.open_builder):
        with pytest.raises(errors.BadArgumentError, match=r"^data_dir=.*: python -m pipeline.prepare --dataset=c"):
            open_data(config)
    assert prepare.prepare(config, rewrite=True) == "cifar100"
    assert stream(file_order_data_dir) == stream(small_data_dir)
    assert prepared.provenance(file_order_data_dir, "cifar100")["path"] == "/somewhere"
    assert [path.name for path in (file_order_data_dir / "cifar100").iterdir()] == ["3.0.2"]
    assert prepare.prepare(config) == "cifar100"


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_kill_while_a_folder_is_replaced_loses_nothing(file_order_data_dir, small_data_dir, at, monkeypatch):
    """The folder is moved aside, then the new one takes its place: killed before the second, or behind it."""
    config = SourceConfig(data_dir=str(file_order_data_dir))
    target = prepared.folder(file_order_data_dir, "cifar100")
    rename = pathlib.Path.rename

    def killed(self, to):
        if to == target and at == "before":
            raise KeyboardInterrupt
        rename(self, to)
        if to == target:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(config, rewrite=True)
    assert prepare.prepare(config, rewrite=True) == "cifar100"
    assert prepared.provenance(file_order_data_dir, "cifar100")["fingerprints"]
    assert contents.fingerprints(target) == contents.fingerprints(prepared.folder(small_data_dir, "cifar100"))


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs another disk")
def test_a_folder_on_another_disk_is_rewritten_there(file_order_data_dir):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other_disk:
        dataset = file_order_data_dir / "cifar100"
        shutil.move(dataset, f"{other_disk}/cifar100")
        dataset.symlink_to(f"{other_disk}/cifar100")
        prepare.prepare(SourceConfig(data_dir=str(file_order_data_dir)), rewrite=True)
        assert prepared.provenance(file_order_data_dir, "cifar100")["fingerprints"]
        assert [path.name for path in pathlib.Path(other_disk, "cifar100").iterdir()] == ["3.0.2"]


def test_digests_are_read_again_where_a_file_has_changed(small_data_dir, tmp_path):
    data_dir = shutil.copytree(small_data_dir, tmp_path / "copy")
    folder = prepared.folder(data_dir, "cifar100")
    before = contents.fingerprints(folder)
    (file,) = folder.glob("*-train.tfrecord*")
    content = file.read_bytes()
    reordered = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())[::-1]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in reordered:
            writer.write(record)
    assert len(file.read_bytes()) == len(content)
    after = contents.fingerprints(folder)
    assert (after.records, after.order != before.order) == (before.records, True)
