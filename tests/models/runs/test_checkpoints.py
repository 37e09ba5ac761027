"""A checkpoint round-trips, fits its variables or is refused, and holds no pickle."""

import pathlib
import shutil

import keras
import numpy as np
import pytest

from models.config import saved
from models.runs import checkpoints
from models.runs.folder import open_locked
from models.training import loop
from pipeline.common import errors

OLD_RUN = pathlib.Path(__file__).parent / "run_of_710a023"  # cut off at step 22 of 30, within the second epoch


def test_checkpoint_round_trip_and_its_absence(tmp_path):
    path = tmp_path / "checkpoint" / "state.npz"
    saved = [keras.Variable(np.arange(3.0)), keras.Variable(7, dtype="int64")]
    progress = checkpoints.Progress(step=5, rows=[{"epoch": 1, "train_loss": None}], metric_totals=[1.0])
    assert checkpoints.restore(path, saved) is None
    checkpoints.save(path, saved, progress)
    fresh = [keras.Variable(np.zeros(3)), keras.Variable(0, dtype="int64")]
    assert checkpoints.restore(path, fresh) == progress
    np.testing.assert_array_equal(fresh[0], [0, 1, 2])
    assert int(fresh[1]) == 7
    assert [entry.name for entry in path.parent.iterdir()] == ["state.npz"]


def test_checkpoint_of_other_variables_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    checkpoints.save(path, [keras.Variable(np.zeros(3))], checkpoints.Progress())
    with pytest.raises(errors.FailedError, match="another network or optimizer"):
        checkpoints.restore(path, [keras.Variable(np.zeros(4))])


def test_checkpoint_never_runs_a_pickle(tmp_path):
    path = tmp_path / "state.npz"
    progress = np.array([{"step": 1}], dtype=object)
    with open(path, "wb") as file:
        np.savez(file, progress=progress)  # the only array, so that the variables fit
    with pytest.raises(ValueError, match="pickle"):
        checkpoints.restore(path, [])


def test_run_of_an_earlier_version_continues_within_its_epoch(tiny_data_dir, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(OLD_RUN, folder)
    data, train = saved.configs(saved.load(folder / "config.json"))
    data = data.replace(data_dir=tiny_data_dir)
    with open_locked(str(folder), {}, {**data.as_dict(identity_only=True), **train.as_dict(identity_only=True)}) as run:
        trained = loop.train(data, train, run=run, verbose=0)
    assert [row["step"] for row in trained.rows] == [15, 30]
    # What 710a023 had after all 30 steps: metrics are means over the whole second epoch, the part before the cut too.
    assert trained.rows[1]["train_coarse_accuracy"] == pytest.approx(0.058, abs=1e-3)
    assert trained.rows[1]["train_loss"] == pytest.approx(2.9946393766403197, rel=1e-4)
    assert trained.rows[1]["validation_loss"] == pytest.approx(3.001835036754608, rel=1e-4)
