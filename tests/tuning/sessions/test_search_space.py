"""Every space makes configurations and asks for the same hyperparameters at each call; a file may define one."""

import json
import pickle
import sys

import keras_tuner
import numpy as np
import pytest

from models.config.training import TrainConfig
from models.runs import folder as run_folder
from pipeline.common import errors
from pipeline.data_config import DataConfig, SourceConfig
from tuning.sessions import search_space, session
from tuning.sessions.config import SessionConfig
from tuning.sessions.search_space import SPACES, Space, find


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(3))
def test_every_space_makes_configurations_and_asks_for_the_same_each_time(name, seed, tmp_path):
    config = SessionConfig(space=name, init_from="runs/trunk" if SPACES[name].has_frozen_trunk else "")
    found = session.Session(tmp_path, config, find(name), SourceConfig())
    asked = found.jobs.hyperparameters()
    random = np.random.default_rng(seed)
    values = asked.ask(lambda one: one.random_sample(int(random.integers(1, 10**6))))
    assert list(values) == [one.name for one in asked.hyperparameters().space]
    job = found.jobs.trial("1", values)
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
    asked = found.jobs.hyperparameters()
    offered = {one.name: getattr(one, "values", None) for one in asked.hyperparameters().space}
    assert offered.get("last_block") == choices
    for choice in choices or ["frozen"]:
        job = found.jobs.trial("1", {**asked.defaults, "last_block": choice} if choices else asked.defaults)
        assert job.train.get("unfreeze_last_block", False) == (choice != "frozen")
        assert job.train.get("separate_blocks", False) == (choice == "separate" or "separate_blocks" in trunk)


def test_space_of_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('BASE = {"preset": "tiny"}\n\ndef space(hp):\n    return {"seed": hp.Choice("seed", [1, 2])}\n')
    found = find(str(path))
    assert isinstance(found, Space)
    assert (found.name, found.base["preset"]) == ("mine", "tiny")
    assert found.choose(keras_tuner.HyperParameters()) == {"seed": 1}


NUMPY_SPACE = """
from __future__ import annotations
import dataclasses, enum
import numpy as np
import {neighbour}

class Optimizer(str, enum.Enum):
    ADAM = "adam"

@dataclasses.dataclass
class Rates:
    low: np.float32 = np.float32(0.25)
    count: "int" = 3

BASE = {{"preset": np.str_("linear"), "batch_size": np.int64({neighbour}.BATCH)}}
BASE["resolutions"] = [(np.int64(32), np.array(1.0))]

def space(hp):
    import {neighbour}_later
    return {{
        "learning_rate": np.float64(hp.Choice("rate", np.linspace(Rates().low, 1.0, Rates().count)) and hp["rate"]),
        "batch_size": np.int32(2) * hp.Choice("half", list(np.arange(32, 96, 32))),
        "coarse_loss_weight": hp.Float("weight", np.float32(0.5), np.int64(1)),
        "cache": {neighbour}_later.CACHE[0],
        "optimizer": Optimizer.ADAM,
        "num_validation": np.array(100),
    }}
"""


@pytest.mark.parametrize("name", ["mine.py", "random.py", "json.py", "mine-2.py", "numpy.py", "__init__.py"])
def test_space_file_is_an_ordinary_module_with_neighbours_and_numpys_numbers(name, tmp_path, monkeypatch):
    """Numbers of keras-team/keras#14051 and ray-project/ray#11434, dataclasses of open-webui/pipelines#289."""
    monkeypatch.setattr("sys.path", [*sys.path])
    neighbour = f"neighbour_of_{name.removesuffix('.py').replace('-', '_')}"
    (tmp_path / f"{neighbour}.py").write_text("BATCH = 64\n")
    (tmp_path / f"{neighbour}_later.py").write_text('import numpy as np\nCACHE = np.array(["memory"])\n')
    (tmp_path / name).write_text(NUMPY_SPACE.format(neighbour=neighbour))
    own = SessionConfig(space=str(tmp_path / name), objective="coarse")
    found = session.Session(tmp_path / "session", own, find(own.space), SourceConfig(dataset="shapes100_tiny"))
    asked = found.jobs.hyperparameters()
    hyperparameters = asked.hyperparameters()
    assert [one.values for one in hyperparameters.space if one.name in ("rate", "half")] == [
        [0.25, 0.625, 1.0],
        [32, 64],
    ]
    json.dumps(hyperparameters.get_config(), allow_nan=False)
    job = pickle.loads(pickle.dumps(found.jobs.trial("0", asked.defaults)))
    values = {**job.data.as_dict(), **job.train.as_dict()}
    expected = {"learning_rate": 0.25, "batch_size": 64, "coarse_loss_weight": 0.5, "optimizer": "adam"}
    for field, value in {**expected, "num_validation": 100, "cache": "memory"}.items():
        assert (values[field], type(values[field])) == (value, type(value))


def test_neighbour_is_never_taken_for_another_module_in_silence(tmp_path, monkeypatch):
    """With several folders of spaces, each with helpers of the same names, cwd's would be imported instead."""
    monkeypatch.setattr("sys.path", [*sys.path])
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rates_of_mine.py").write_text(f"RATE = {len(folder)}.0\n")
    monkeypatch.syspath_prepend(tmp_path / "here")
    (tmp_path / "there" / "mine.py").write_text("def space(hp):\n    from rates_of_mine import RATE\n")
    with pytest.raises(errors.BadArgumentError, match=r"mine\.py: ImportError: .*here/rates_of_mine\.py .*there"):
        find(str(tmp_path / "there" / "mine.py"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a Python file"),
        ("x = 1\n", r"expected a function space\(hp\)"),
        ("BASE = 3\ndef space(hp): return {}\n", "BASE, if any, to be a dict"),
        ("raise OSError('no')\n", r"OSError: no \(mine\.py, line 1\)"),
        ("import sys\nsys.exit('no')\n", r"SystemExit: no \(mine\.py, line 2\)"),
        ("def space(hp) return {}\n", r"SyntaxError: .*\(mine\.py, line 1\)"),
        ("from . import rates\n", r"ImportError: .*relative import.* \(mine\.py, line 1\)"),
        ("import no_such_rates\n", r"ModuleNotFoundError: .*no_such_rates.* \(mine\.py, line 1\)"),
        ("import broken_rates\n", r"KeyError: 'units' \(broken_rates\.py, line 2\)"),
    ],
)
def test_file_without_a_space_is_refused(tmp_path, content, message, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    path = tmp_path / "mine.py"
    (tmp_path / "broken_rates.py").write_text("\n{}['units']\n")
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.BadArgumentError, match=f"space={path}: .*{message}"):
        find(str(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}['units']", r"KeyError: 'units' \(mine\.py, line 2\)"),
        ("hp.Choice('units', [])", r"ValueError: .* \(mine\.py, line 2\)"),
        ("return {'learning_rat': hp.Choice('rate', [0.1])}", "unknown field 'learning_rat'; did you mean"),
        ("return {'learning_rate': 0.1}", "expected hyperparameters, got none"),
        ("return {'learning_rate': hp}", "learning_rate=.*: expected float"),
        ("return [hp.Choice('rate', [0.1])]", r"expected a dictionary of configuration fields, got \[0.1\]"),
    ],
)
def test_what_goes_wrong_in_a_space_is_one_line_with_its_place(line, message, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "mine.py").write_text(f"def space(hp):\n    {line}\n")
    own = SessionConfig(space=str(tmp_path / "mine.py"))
    found = session.Session(tmp_path / "session", own, find(own.space), SourceConfig(dataset="shapes100_tiny"))
    with pytest.raises(errors.BadArgumentError, match=message) as caught:
        found.jobs.hyperparameters()
    assert "\n" not in str(caught.value)
