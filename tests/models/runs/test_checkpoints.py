"""A checkpoint round-trips, fits its variables or is refused, and holds no pickle; the last two are kept."""

import dataclasses
import errno
import io
import pathlib

import keras
import numpy as np
import pytest

from models.runs import checkpoints
from models.runs.folder import previous_checkpoint
from pipeline.common import errors
from tests.durable_files import DiskRecord


def saved(path: pathlib.Path, steps: int = 2) -> bytes:
    """The content of a checkpoint of the last of some steps; those before it were saved too."""
    for step in range(1, steps + 1):
        checkpoints.save(path, [keras.Variable(np.full(3, float(step)))], checkpoints.Progress(step=step))
    return path.read_bytes()


def rewritten(content: bytes, **arrays: np.ndarray | None) -> bytes:
    """The checkpoint with some arrays replaced; None removes one."""
    file = io.BytesIO()
    np.savez(
        file, **{name: array for name, array in {**np.load(io.BytesIO(content)), **arrays}.items() if array is not None}
    )
    return file.getvalue()


DAMAGES = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[:-30],
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "not npz": lambda content: b"checkpoint\n",
    "one array": lambda content: b"\x93NUMPY" + content,
    "other values": lambda content: rewritten(content, **{"0000": np.zeros(3)}),
    "another shape": lambda content: rewritten(content, **{"0000": np.load(io.BytesIO(content))["0000"][None]}),
    "no values": lambda content: rewritten(content, **{"0000": None}),
    "no progress": lambda content: rewritten(content, progress=None),
    "not JSON": lambda content: rewritten(content, progress=np.array("{"), sha256=None),
    "pickle": lambda content: rewritten(content, progress=np.array([{"step": 1}], dtype=object)),
}


def test_checkpoint_round_trip_and_its_absence(tmp_path):
    path = tmp_path / "checkpoint" / "state.npz"
    variables = [keras.Variable(np.arange(3.0)), keras.Variable(7, dtype="int64")]
    progress = checkpoints.Progress(step=5, rows=[{"epoch": 1, "train_loss": None}], metric_totals=[1.0])
    assert checkpoints.load(path) is None
    checkpoints.save(path, variables, progress)
    fresh = [keras.Variable(np.zeros(3)), keras.Variable(0, dtype="int64")]
    loaded = checkpoints.load(path)
    loaded.restore(fresh)
    assert loaded.progress == progress
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.path = tmp_path
    np.testing.assert_array_equal(fresh[0], [0, 1, 2])
    assert int(fresh[1]) == 7
    assert [entry.name for entry in path.parent.iterdir()] == ["state.npz"]


def test_checkpoint_of_other_variables_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    saved(path)
    with pytest.raises(errors.FailedError, match="another network or optimizer"):
        checkpoints.load(path).restore([keras.Variable(np.zeros(4))])


def test_previous_checkpoint_that_is_used_survives_a_power_failure(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint" / "state.npz"
    record = DiskRecord(monkeypatch)
    saved(path)
    path.write_bytes(b"damaged")
    checkpoints.load(path)
    assert record.lost(path.parent) == {}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_checkpoint_is_named_and_the_previous_one_used(tmp_path, capsys, damage):
    path = tmp_path / "state.npz"
    path.write_bytes(damage(saved(path, steps=3)))
    loaded = checkpoints.load(path)
    assert (loaded.progress.step, loaded.is_newest) == (2, False)
    np.testing.assert_array_equal(loaded.values, [[2, 2, 2]])
    assert capsys.readouterr().err.splitlines() == [f"warning: {path} is damaged; using the previous one, of step 2"]
    checkpoints.save(path, [keras.Variable(np.full(3, 3.0))], checkpoints.Progress(step=3))
    assert checkpoints.load(previous_checkpoint(path)).progress.step == 2  # the damaged one is not kept
    for file in (path, previous_checkpoint(path)):
        file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(errors.FailedError, match=f"^{path} and .*previous_state.npz are damaged; .*--run_dir"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (OSError(errno.EMFILE, "Too many open files"), errors.FailedError, "{}: Too many open files; .*ulimit -n"),
        (PermissionError(errno.EACCES, "Permission denied"), errors.FailedError, "{}: Permission denied; correct"),
        (MemoryError(), MemoryError, "^$"),
    ],
)
def test_checkpoint_that_cannot_be_read_now_is_kept(tmp_path, monkeypatch, error, expected, words):
    path = tmp_path / "state.npz"
    content = saved(path, steps=3)
    with monkeypatch.context() as failing:
        failing.setattr(np, "load", lambda *_, **__: (_ for _ in ()).throw(error))
        with pytest.raises(expected, match=words.format(path)):
            checkpoints.load(path)
    assert path.read_bytes() == content


def test_no_flipped_bit_changes_what_is_used(tmp_path):
    path = tmp_path / "state.npz"
    content = saved(path, steps=1)
    for place in range(0, len(content), 5):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            loaded = checkpoints.load(path)
        except errors.FailedError:
            continue
        assert loaded.progress == checkpoints.Progress(step=1), place
        np.testing.assert_array_equal(loaded.values, [[1, 1, 1]])


def test_kill_between_the_two_renames_leaves_the_previous_one(tmp_path, capsys):
    path = tmp_path / "state.npz"
    saved(path)
    path.rename(previous_checkpoint(path))
    assert checkpoints.load(path).progress.step == 2
    assert not capsys.readouterr().err


def test_checkpoints_of_other_versions(tmp_path):
    path = tmp_path / "state.npz"
    content = saved(path, steps=1)
    path.write_bytes(rewritten(content, sha256=None))  # as at 710a023
    assert checkpoints.load(path).progress.step == 1
    path.write_bytes(rewritten(content, progress=np.array('{"step": 1, "sums": [2.0]}'), sha256=None))
    assert checkpoints.load(path).progress == checkpoints.Progress(step=1, metric_totals=[2.0])
    path.write_bytes(rewritten(content, progress=np.array('{"step": 1, "moon": 2}'), sha256=None))
    with pytest.raises(errors.FailedError, match=r"later version.*'moon'"):
        checkpoints.load(path)


def test_pickle_in_a_checkpoint_is_not_executed(tmp_path):
    class Harm:
        def __reduce__(self):
            return (tmp_path / "harm").touch, ()

    path = tmp_path / "state.npz"
    path.write_bytes(rewritten(saved(path, steps=1), progress=np.array([Harm()]), sha256=None))
    with pytest.raises(errors.FailedError, match="damaged"):
        checkpoints.load(path)
    assert not (tmp_path / "harm").exists()


def test_progress_of_a_new_run_is_none():
    assert not any(dataclasses.asdict(checkpoints.Progress()).values())
