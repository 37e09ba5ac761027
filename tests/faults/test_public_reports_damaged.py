"""Damaged files that users of other projects reported; each test names the report."""

import pathlib
import shutil
import zipfile

import pytest
import tensorflow as tf

from models.runs.folder import RunFolder
from pipeline import contents, disk_cache
from pipeline.common import errors
from tests.conftest import ROOT
from tests.tuning.sessions.small_sessions import searched

FINISHED = ROOT / "tests" / "models" / "written_by_710a023" / "finished"


@pytest.fixture
def data(tiny_data_dir, tmp_path):
    """The version folder of a copy of shapes100_tiny, without its caches."""
    source = pathlib.Path(tiny_data_dir) / "shapes100_tiny"
    folder = pathlib.Path(shutil.copytree(source, tmp_path / "shapes100_tiny")) / "1.0.0"
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return folder


@pytest.fixture
def run(tmp_path):
    return RunFolder(shutil.copytree(FINISHED, tmp_path / "run"))


def test_the_record_file_with_a_wrong_checksum_is_named(data):
    """tensorflow/tensorflow#20835 and #13463: `DataLossError: corrupted record at ...` does not say in which file."""
    path = data / "shapes100_tiny-test.tfrecord-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(errors.DamagedError, match=rf"^data_dir=.*{path.name} is damaged .*and run: python -m"):
        contents.read(data)


@pytest.mark.parametrize("damage", ["empty", "missing", "another byte"])
def test_disk_cache_with_an_empty_shard_is_written_again(damage, tmp_path, capsys):
    """tensorflow/tensorflow#47103: an empty shard of a snapshot crashed its reader; today's waits for ever."""
    folder, examples = tmp_path / "cache", tf.data.Dataset.range(1000)
    list(disk_cache.CacheOnDisk(str(folder))(examples))
    shard = max(folder.rglob("*.snapshot"), key=lambda path: path.stat().st_size)
    if damage == "another byte":
        content = bytearray(shard.read_bytes())
        content[-10] ^= 1
        shard.write_bytes(content)
    else:
        shard.unlink()
        _ = damage == "missing" or shard.touch()
    read = disk_cache.CacheOnDisk(str(folder))(examples)
    assert [int(number) for number in read] == list(range(1000))
    assert capsys.readouterr().err.count(str(folder)) >= 1


def test_truncated_model_is_one_line(run):
    """matterport/Mask_RCNN#653, keras-team/keras#6221: `Unable to open file (truncated file: eof = ...)` only."""
    run.model.write_bytes(run.model.read_bytes()[:60_000])
    with pytest.raises(errors.DamagedError, match=r"^run_dir=.*: model.keras is damaged .*train again"):
        run.load_model()


def test_model_with_a_flipped_bit_in_its_weights_is_refused(run):
    """faustomorales/vit-keras#27: weights that arrived damaged; HDF5 itself has no checksums, and would load them."""
    content = bytearray(run.model.read_bytes())
    with zipfile.ZipFile(run.model) as archive:
        content[archive.getinfo("model.weights.h5").header_offset + 100_000] ^= 1
    run.model.write_bytes(content)
    with pytest.raises(errors.DamagedError, match=r"model.weights.h5"):
        run.load_model()


@pytest.mark.parametrize("content", ["", '{"id": "0", "hyperparameters": {"ra'])
def test_torn_record_of_a_trial_is_one_line(content, tmp_path):
    """keras-team/keras-tuner#987: after a kill, the search could not be continued because of a torn trial.json."""
    path = tmp_path / "session"
    searched(path, tuner="grid", max_trials=2)
    (path / "trials" / "0.json").write_text(content)
    with pytest.raises(errors.DamagedError, match=rf"^session_dir={path}: trials/0.json is damaged .*delete it"):
        searched(path, tuner="grid", max_trials=2)
    (path / "trials" / "0.json").unlink()
    assert [record["id"] for record in searched(path, tuner="grid", max_trials=2).folder.records()] == ["1"]
