"""Preparing from an archive: its records, once and whole, and archives that are refused."""

import hashlib
import json

import pytest

from pipeline import prepare
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from pipeline.datasets.cifar.spec import CIFAR100
from tests.pipeline.datasets import archives, pickles
from tests.pipeline.datasets.archives import SMALL


def test_plain_tfds_reads_exactly_the_records(small_data_dir):
    archives.check_prepared(small_data_dir)


def test_tfds_reads_the_label_names_and_no_staging_folder(small_data_dir):
    import tensorflow_datasets as tfds

    from pipeline.datasets import labels

    info = tfds.builder_from_directory(prepared.folder(small_data_dir, "cifar100")).info
    assert tuple(info.features["label"].names) == labels.FINE_NAMES
    assert tuple(info.features["coarse_label"].names) == labels.COARSE_NAMES
    for file in prepared.folder(small_data_dir, "cifar100").glob("*.json"):
        assert ".staging" not in file.read_text()


def test_provenance_is_written(small_data_dir, archive):
    provenance = prepared.provenance(small_data_dir, "cifar100")
    assert (provenance["how"], provenance["path"], provenance["official"]) == ("archive", str(archive), None)
    assert provenance["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert provenance["num_examples"] == {"train": 500, "test": 100}
    assert provenance["channel_means"] == pytest.approx([0.5] * 3, abs=0.01)


def test_nothing_but_the_data_set_is_left(small_data_dir):
    assert sorted(path.name for path in small_data_dir.iterdir()) == [".prepare.lock", "cifar100"]
    assert [path.name for path in (small_data_dir / "cifar100").iterdir()] == ["3.0.2"]


def test_the_python_form_gives_the_same_records(small_data_dir, tmp_path):
    folder = archives.write_folder(tmp_path / "cifar-100-python", archives.python_files())
    prepare.prepare(SourceConfig(data_dir=str(tmp_path / "data"), archive=str(folder)), spec=SMALL)
    assert archives.shards(tmp_path / "data", "cifar100") == archives.shards(small_data_dir, "cifar100")
    assert len(archives.shards(small_data_dir, "cifar100")) == 2


def test_what_is_prepared_stays(small_data_dir, no_tensorflow, capsys):
    for dataset in ("cifar100", "auto"):
        assert prepare.prepare(SourceConfig(dataset=dataset, data_dir=str(small_data_dir))) == "cifar100"
        assert "cifar100 is already prepared in" in capsys.readouterr().err


def test_the_same_archive_again_logs_one_line(small_data_dir, archive, no_tensorflow, capsys):
    prepare.prepare(SourceConfig(data_dir=str(small_data_dir), archive=str(archive)), spec=SMALL)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_file_with_the_same_records_is_logged(small_data_dir, tmp_path, no_tensorflow, capsys):
    other = archives.write_tar(tmp_path / "other.tar.gz", archives.python_files(), folder="cifar-100-python")
    prepare.prepare(SourceConfig(data_dir=str(small_data_dir), archive=str(other)), spec=SMALL)
    assert "another file with the same records" in capsys.readouterr().err


def test_an_archive_with_other_records_than_those_prepared_is_refused(small_data_dir, tmp_path, no_tensorflow):
    table = archives.rows("train")
    table[0, 5] ^= 1
    files = {**archives.binary_files(), "train.bin": table.tobytes()}
    other = archives.write_folder(tmp_path / "other", files)
    with pytest.raises(errors.BadArgumentError, match="records differ from those prepared in"):
        prepare.prepare(SourceConfig(data_dir=str(small_data_dir), archive=str(other)), spec=SMALL)


@pytest.mark.parametrize("dataset", ["cifar100", "auto"])
@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_bad_archive_is_an_error_whatever_else_there_is(
    dataset, is_prepared, small_data_dir, tmp_path, no_tensorflow
):
    data_dir = small_data_dir if is_prepared else tmp_path / "data"
    source = SourceConfig(dataset=dataset, data_dir=str(data_dir), archive=str(tmp_path / "absent"))
    with pytest.raises(errors.BadArgumentError, match=r"^archive=.*absent: no such file or folder"):
        prepare.prepare(source, spec=SMALL)
    assert is_prepared or not data_dir.exists()


def test_an_archive_for_a_generated_data_set_is_an_error(archive, tmp_path):
    source = SourceConfig(dataset="shapes100", data_dir=str(tmp_path), archive=str(archive))
    with pytest.raises(errors.BadArgumentError, match="--dataset=shapes100 has none; expected --dataset=cifar100 or"):
        prepare.prepare(source)


def test_a_data_dir_that_cannot_be_written_is_an_error(archive, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.BadArgumentError, match=r"data_dir=.*file/data: expected a folder"):
        prepare.prepare(SourceConfig(data_dir=str(tmp_path / "file" / "data"), archive=str(archive)), spec=SMALL)


def finalizing_failed(folder):
    """The error of a full disk as TFDS passes TensorFlow's on."""
    import tensorflow as tf

    error = RuntimeError(f"Failed to finalize writing of split {folder}")
    error.__cause__ = tf.errors.ResourceExhaustedError(None, None, f"{folder}/a.tfrecord; No space left on device")
    return error


@pytest.mark.parametrize(
    "error",
    [
        lambda folder: OSError(28, "No space left on device"),
        finalizing_failed,
    ],
)
def test_a_writer_that_fails_leaves_nothing(archive, tmp_path, monkeypatch, error):
    def fail(*_arguments, **_options):
        raise error(tmp_path)

    monkeypatch.setattr("pipeline.datasets.canonical.tfds_examples", fail)
    with pytest.raises(errors.WriteError, match=rf"^data_dir={tmp_path}: .*No space left"):
        prepare.prepare(SourceConfig(data_dir=str(tmp_path), archive=str(archive)), spec=SMALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.real_data
def test_the_real_data_set_has_all_its_records(real_data_dir):
    info = json.loads((prepared.folder(real_data_dir, "cifar100") / "dataset_info.json").read_text())
    lengths = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
    assert lengths == {"train": 50_000, "test": 10_000}


@pytest.mark.slow
@pytest.mark.real_data
def test_the_python_form_of_the_real_data_gives_the_same_records(cifar100_archive, real_data_dir, tmp_path):
    from pipeline.datasets.cifar import archive

    binary_form = archive.read(cifar100_archive, CIFAR100, source="--archive")
    files = {
        split: pickles.dump(archives.as_fields(split, part.rows), 2, writer="python 2")
        for split, part in (("train", binary_form.train), ("test", binary_form.test))
    }
    folder = archives.write_folder(tmp_path / "cifar-100-python", files)
    prepare.prepare(SourceConfig(data_dir=str(tmp_path), archive=str(folder)))
    assert archives.shards(tmp_path, "cifar100") == archives.shards(real_data_dir, "cifar100")
