"""Every space makes configurations and asks for the same hyperparameters at each call; a file may define one."""

import keras_tuner
import numpy as np
import pytest

from models.config.training import TrainConfig
from models.runs import folder as run_folder
from pipeline.common import errors
from pipeline.data_config import DataConfig, SourceConfig
from tuning.sessions import search_space, session
from tuning.sessions.jobs import SessionConfig
from tuning.sessions.search_space import SPACES, Space, find


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(3))
def test_every_space_makes_configurations_and_asks_for_the_same_each_time(name, seed, tmp_path):
    config = SessionConfig(space=name, init_from="runs/trunk" if SPACES[name].has_frozen_trunk else "")
    found = session.Session(tmp_path, config, find(name), SourceConfig())
    hyperparameters = found.jobs.hyperparameters()
    names = {one.name for one in hyperparameters.space}
    random = np.random.default_rng(seed)
    for one in hyperparameters.space:
        hyperparameters.values[one.name] = one.random_sample(int(random.integers(1, 10**6)))
    before = dict(hyperparameters.values)
    job = found.jobs.trial("1", hyperparameters)
    assert {one.name for one in hyperparameters.space} == names
    assert hyperparameters.values == before
    assert job.train.epochs == config.max_epochs
    assert job.train.freeze_trunk == SPACES[name].has_frozen_trunk


@pytest.mark.parametrize(
    ("trunk", "choices"),
    [
        ({"architecture": "speedrun"}, ["frozen", "shared", "separate"]),
        ({"architecture": "resnet9", "separate_blocks": True}, ["frozen", "separate"]),
        ({"architecture": "resnet18"}, None),
    ],
)
def test_heads_have_the_choices_of_last_block_that_their_trunk_has(tmp_path, trunk, choices):
    config = {**DataConfig().as_dict(), **TrainConfig(**trunk).as_dict()}
    with run_folder.open_locked(str(tmp_path / "trunk"), config, {}) as run:
        run.write_report({})
    own = SessionConfig(space="heads", init_from=str(tmp_path / "trunk"))
    found = session.Session(tmp_path, own, search_space.on_trunk(find("heads"), own.init_from), SourceConfig())
    hyperparameters = found.jobs.hyperparameters()
    offered = {one.name: getattr(one, "values", None) for one in hyperparameters.space}
    assert offered.get("last_block") == choices
    for choice in choices or ["frozen"]:
        hyperparameters.values["last_block"] = choice
        job = found.jobs.trial("1", hyperparameters)
        assert job.train.get("unfreeze_last_block", False) == (choice != "frozen")
        assert job.train.get("separate_blocks", False) == (choice == "separate" or "separate_blocks" in trunk)


def test_space_of_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('BASE = {"preset": "tiny"}\n\ndef space(hp):\n    return {"seed": hp.Choice("seed", [1, 2])}\n')
    found = find(str(path))
    assert isinstance(found, Space)
    assert (found.name, found.base["preset"]) == ("mine", "tiny")
    assert found.choose(keras_tuner.HyperParameters()) == {"seed": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a Python file"),
        ("x = 1\n", r"expected a function space\(hp\)"),
        ("BASE = 3\ndef space(hp): return {}\n", "BASE, if any, to be a dict"),
        ("raise OSError('no')\n", "OSError: no"),
    ],
)
def test_file_without_a_space_is_refused(tmp_path, content, message):
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.BadArgumentError, match=f"space={path}: .*{message}"):
        find(str(path))
