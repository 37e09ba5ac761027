"""Preparing CIFAR-10, whose records have one level of labels, from every form."""

import dataclasses

import pytest

from pipeline import contents, prepare
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from tests.pipeline.datasets import archives
from tests.pipeline.datasets.archives import SMALL_CIFAR10
from tests.pipeline.datasets.cifar import parquet_files


def source(folder, archive):
    return SourceConfig(dataset="cifar10", data_dir=str(folder / "data"), archive=str(archive))


def shards(folder):
    return archives.shards(folder / "data", "cifar10")


@pytest.fixture(scope="module")
def from_binary(tmp_path_factory):
    """A folder with CIFAR-10 prepared from the binary form."""
    folder = tmp_path_factory.mktemp("binary")
    archive = archives.write_tar(folder / "small.tar.gz", archives.binary_files(SMALL_CIFAR10), "cifar-10-batches-bin")
    assert prepare.prepare(source(folder, archive), spec=SMALL_CIFAR10) == "cifar10"
    return folder


def test_plain_tfds_reads_exactly_the_records(from_binary):
    archives.check_prepared(from_binary / "data", SMALL_CIFAR10)
    assert len(shards(from_binary)) == 2


def test_it_describes_itself(from_binary):
    description = prepared.description(from_binary / "data", "cifar10")
    assert description.classes == SMALL_CIFAR10.classes
    assert description.num_examples == {"train": 50, "test": 10}


def test_its_examples_have_no_coarse_label(from_binary):
    examples = contents.examples(prepared.folder(from_binary / "data", "cifar10"), "test")
    assert {coarse for _, _, coarse in examples} == {0}


def write_python(folder):
    archives.write_folder(folder / "cifar-10-batches-py", archives.python_files(SMALL_CIFAR10))


def write_parquet(folder):
    parquet_files.write_splits(folder, SMALL_CIFAR10)


@pytest.mark.parametrize("write", [write_python, write_parquet])
def test_every_form_gives_the_same_data_set(write, from_binary, tmp_path):
    write(tmp_path / "copy")
    prepare.prepare(source(tmp_path, tmp_path / "copy"), spec=SMALL_CIFAR10)
    assert shards(tmp_path) == shards(from_binary)


def test_an_archive_is_prepared_at_another_size(tmp_path):
    write_python(tmp_path / "copy")
    larger = dataclasses.replace(source(tmp_path, tmp_path / "copy"), image_size=64)
    prepare.prepare(larger, spec=SMALL_CIFAR10)
    description = prepared.description(tmp_path / "data", larger.prepared_name)
    assert (description.image_size, description.num_examples) == (64, {"train": 50, "test": 10})


def test_cifar100_is_refused_by_name(tmp_path):
    copy = archives.write_folder(tmp_path / "cifar-10-batches-py", archives.python_files())
    with pytest.raises(errors.BadArgumentError, match=r"not CIFAR-10: it is CIFAR-100 \(--dataset=cifar100\)"):
        prepare.prepare(source(tmp_path, copy), spec=SMALL_CIFAR10)
