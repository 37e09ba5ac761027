"""A checkpoint round-trips, fits its variables or is refused, and holds no pickle."""

import keras
import numpy as np
import pytest

from models.runs import checkpoints
from pipeline.common import errors


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
