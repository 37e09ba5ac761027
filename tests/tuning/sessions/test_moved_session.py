"""A session goes on in another place, and in another spelling of its paths, and not with another trunk.

Ray Tune's did not: its checkpoints held absolute paths (ray-project/ray#28082).
"""

import pathlib
import shutil

import pytest

from models.config import from_preset, saved
from models.runs.folder import open_locked
from pipeline.common import errors, files
from pipeline.data_config import DataConfig, SourceConfig
from tuning.sessions import search_space, session
from tuning.sessions.config import SessionConfig

SPACE = """
BASE = {"preset": "linear", "num_validation": 500, "freeze_trunk": True}


def space(hp):
    return {"learning_rate": hp.Float("learning_rate", 0.1, 0.5, step=0.1)}
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> pathlib.Path:
    (tmp_path / "mine.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_trunk(path: pathlib.Path, weights: str = "weights", preset: str = "linear", **fields: str) -> None:
    """A finished run as far as its identity goes."""
    data = DataConfig(dataset="shapes100_tiny", num_validation=500)
    _, train = from_preset(preset, **fields)
    path.mkdir()
    files.write_json(path / "config.json", saved.document(data, train))
    files.write_json(path / "report.json", {})
    (path / "model.keras").write_text(weights)


def open_trial(path: str, space: str = "mine.py", **config: str) -> None:
    """Open a session's folder, new or begun, and in it the run of the first trial, which stays under way."""
    source, found = SourceConfig(dataset="shapes100_tiny"), search_space.find(space)
    with session.open_session(path, SessionConfig(space=space, **config), found, source) as opened:
        if opened.jobs.needs_trunk and not opened.folder.trunk_dir.exists():
            make_trunk(opened.folder.trunk_dir)
        job = opened.jobs.trial("0", opened.jobs.hyperparameters().defaults)
        with open_locked(opened.folder.run_dir("0"), job.config, job.identity) as run:
            run.checkpoint.parent.mkdir(exist_ok=True)
            run.checkpoint.touch()


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_trial_on_the_sessions_own_trunk_goes_on_in_another_place(home, move):
    open_trial("a")
    move("a", "b")
    open_trial("b")


def test_session_with_another_trunk_in_its_place_is_another(home):
    open_trial("a")
    (home / "a" / "trunk" / "model.keras").write_text("other weights")
    shutil.move("a", "b")
    with pytest.raises(errors.BadArgumentError, match="init_from"):
        open_trial("b")


def test_space_and_trunk_may_move_and_be_spelled_in_any_way(home, monkeypatch):
    make_trunk(home / "trunk")
    open_trial("a", init_from="trunk")
    (home / "link").symlink_to("a")
    (home / "there").mkdir()
    for name in ("trunk", "mine.py"):
        shutil.move(name, home / "there" / name)
    monkeypatch.setenv("HOME", str(home))
    for folder, here in (("./link/../a/", "there/"), ("~/link", "~/there/"), (home / "a", "./link/../there//")):
        open_trial(folder, f"{here}mine.py", init_from=f"{here}trunk/")


def test_session_on_the_trunk_of_another_run_is_another(home):
    make_trunk(home / "trunk")
    make_trunk(home / "other", "other weights")
    open_trial("a", init_from="trunk")
    with pytest.raises(errors.BadArgumentError, match="init_from"):
        open_trial("a", init_from="other")


def test_session_on_a_fine_tuned_run_trains_its_other_seeds_from_the_same_weights(home):
    make_trunk(home / "source")
    make_trunk(home / "tuned", preset="finetune", init_from="source")
    config = SessionConfig(space="mine.py", init_from="tuned")
    found = search_space.on_trunk(search_space.find("mine.py"), "tuned")
    with session.open_session("a", config, found, SourceConfig(dataset="shapes100_tiny")) as opened:
        trial = opened.jobs.trial("0", opened.jobs.hyperparameters().defaults).train
        untuned = opened.jobs.trunk(1).train
        assert opened.folder.identity()["trial"]["preset"] == "finetune"
    assert (trial.preset, trial.init_from, trial.freeze_trunk) == ("finetune", "tuned", True)
    assert (untuned.preset, untuned.init_from, untuned.freeze_trunk) == ("finetune", str(home / "source"), False)
