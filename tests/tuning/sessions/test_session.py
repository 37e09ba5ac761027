"""What a session refuses in one line: wrong spaces, and folders of other sessions."""

import pytest

from models.runs import folder as run_folder
from pipeline.common import errors
from tests.tuning.sessions.small_sessions import BASE, choose, searched


def broken(hp):
    raise KeyError("units")


@pytest.mark.parametrize(
    ("choose", "base", "message"),
    [
        (broken, BASE, "space=mine: KeyError: 'units'"),
        (lambda hp: {}, BASE, "space=mine: expected hyperparameters"),
        (lambda hp: None, BASE, "space=mine: expected a dictionary .*None"),
        (lambda hp: {"learning_rat": hp.Choice("a", [0.1])}, BASE, "unknown field 'learning_rat'; did you mean"),
        (lambda hp: {"learning_rate": hp.Choice("a", [-1.0])}, BASE, "learning_rate=-1.0: expected"),
        (choose, {**BASE, "preset": "quik"}, "preset='quik': expected one of"),
        (choose, {**BASE, "num_validation": 0}, "num_validation=0; a search chooses on validation"),
        (choose, {**BASE, "heads": "coarse"}, "objective=both: .*coarse head"),
        (choose, {**BASE, "epochs": 3.0}, "sets 'epochs', which the session sets"),
        (lambda hp: {"seed": hp.Choice("seed", [1, 2])}, BASE, "sets 'seed', which the session sets"),
        (choose, {**BASE, "crop_size": 24}, "sets 'crop_size', which the session sets"),
        (choose, {**BASE, "dropout": 0.1}, "dropout=0.1: --architecture=linear does not read it"),
        (choose, {**BASE, "optimizer": "adam", "momentum": 0.7}, "momentum=0.7: --optimizer=adam does not read it"),
    ],
)
def test_wrong_space_is_one_clear_line_before_any_work(choose, base, message, tmp_path):
    with pytest.raises(errors.BadArgumentError, match=message):
        searched(tmp_path / "session", choose=choose, base=base)
    assert not (tmp_path / "session" / "session.json").exists()


def test_folder_of_another_session_or_space_is_refused(tmp_path):
    searched(tmp_path / "session")
    before = sorted((tmp_path / "session").rglob("*"))
    with pytest.raises(
        errors.BadArgumentError,
        match="belongs to another session: tuner='random' there, tuner='grid' given",
    ):
        searched(tmp_path / "session", tuner="grid")
    with pytest.raises(errors.BadArgumentError, match="another hyperparameters"):
        searched(tmp_path / "session", choose=lambda hp: {"learning_rate": hp.Choice("learning_rate", [0.1, 0.2])})
    with pytest.raises(errors.BadArgumentError, match="expected a new folder or a session's"):
        searched(tmp_path)
    assert sorted((tmp_path / "session").rglob("*")) == before


@pytest.mark.parametrize("is_under_way", [False, True])
def test_space_that_makes_another_trial_of_the_same_values_is_refused(is_under_way, tmp_path):
    """Such as one that computes with a module beside it, which has changed; the defaults' trial is the same."""

    def scaled(factor):
        def choose(hp):
            rate = hp.Choice("rate", [0.1, 0.2])
            return {"learning_rate": factor * rate if rate > 0.1 else rate}

        return choose

    path = tmp_path / "session"
    found = searched(path, choose=scaled(1.0), tuner="grid", max_trials=2)
    if is_under_way:
        job = found.jobs.trial("1", {"rate": 0.2})
        with run_folder.open_locked(str(found.folder.run_dir("1")), job.config, job.identity):
            (path / "trials" / "1.json").unlink()
            lines = (path / "journal.jsonl").read_text().splitlines(keepends=True)
            (path / "journal.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(errors.BadArgumentError, match=r"changed since trial 1, .*learning_rate=0\.2 there, 0\.4 given"):
        searched(path, choose=scaled(2.0), tuner="grid", max_trials=2)
    assert len(searched(path, choose=scaled(1.0), tuner="grid", max_trials=2).folder.records()) == 2
