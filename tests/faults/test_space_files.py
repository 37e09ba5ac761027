"""The file of a search space, whatever it holds, makes a space or is refused in one line with its flag or its field."""

import itertools
import json
import math
import pathlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.common.config import settings as settings_of
from pipeline.data_config import DataConfig, SourceConfig
from tests.faults.test_config_files import FEW, ODD
from tuning.sessions.config import SessionConfig
from tuning.sessions.jobs import JobFactory
from tuning.sessions.search_space import find

FIELDS = sorted(settings_of(DataConfig, TrainConfig))
HEAD = "from math import inf, nan\n"
RATE = "{'coarse_loss_weight': hp.Choice('weight', [0.5, 1.0])}"
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, 1, 2, 0.5, 10**9, 10**400, -(2**63), 1e-320, -1e308, 1e308, float("nan"), float("inf")]),
)
NAMES = st.one_of(st.text(max_size=5), st.sampled_from(["tuner/epochs", "a\nb", "\ud800", "x" * 101, 3, None, ("a",)]))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Of the file, which is compiled anew however soon and little it changes."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(sys, "path", [*sys.path])
        patches.setattr(sys, "dont_write_bytecode", True)
        yield tmp_path_factory.mktemp("spaces") / "mine.py"


def jobs_of(path: pathlib.Path, content: str | bytes) -> JobFactory:
    """The jobs of a space, which is found and checked as before a search."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogatepass"))
    config = SessionConfig(space=str(path))
    jobs = JobFactory(config, find(config.space), SourceConfig(dataset="shapes100_tiny"), path.parent / "trunk")
    jobs.check_shared()
    jobs.hyperparameters()
    return jobs


def is_refused(path: pathlib.Path, content: str | bytes, *beginnings: str) -> bool:
    """Whether a space's file is refused; the error must begin with its flag, or in one of the other ways."""
    try:
        jobs_of(path, content)
    except errors.BadArgumentError as error:
        message = str(error)
    else:
        return False
    assert message.startswith((f"space={path}: ", *beginnings))
    assert "\n" not in message
    return True


def source(base: object = {}, returned: str = RATE) -> str:
    """The file of a space with this BASE, and this expression as what its function returns."""
    return f"{HEAD}BASE = {base!a}\n\ndef space(hp):\n    return {returned}\n"


SPACE = source({"preset": "tiny", "batch_size": 50})


@FEW
@given(st.integers(0, len(SPACE)), st.integers(0, 20), st.one_of(st.text(max_size=10), st.just(SPACE[80:90])))
def test_changed_text_makes_a_space_or_is_refused(path, start, length, text):
    is_refused(path, SPACE[:start] + text + SPACE[start + length :], *(f"{name}=" for name in FIELDS))


@FEW
@given(st.binary(max_size=50))
def test_other_content_is_refused(path, content):
    assert is_refused(path, content)


@pytest.mark.parametrize(
    "content",
    [
        "BASE = []\nBASE.append(BASE)\ndef space(hp): return {}",
        "def space(hp): raise SystemExit(3)",
        "(" * 100_000,
        "-" * 100_000 + "1",
        b"\xff\xfe" + SPACE.encode("utf-16-le"),
        b"\0" * 100,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_hostile_content_is_refused(path, content):
    assert is_refused(path, content)


@FEW
@given(st.sampled_from(FIELDS), ODD)
def test_any_value_in_base_works_or_is_refused(path, name, value):
    is_refused(path, source({name: value}), *(f"{field}=" for field in FIELDS))


@FEW
@given(st.one_of(NAMES, st.integers(), st.none()), ODD)
def test_any_other_field_in_base_is_refused(path, name, value):
    assert is_refused(path, source({name: value})) or name in FIELDS


@FEW
@given(st.one_of(st.sampled_from(FIELDS), NAMES), ODD)
def test_any_value_that_a_space_returns_works_or_is_refused(path, name, value):
    is_refused(path, source(returned=f"{{**{RATE}, {name!a}: {value!a}}}"), *(f"{field}=" for field in FIELDS))


@FEW
@given(
    st.sampled_from(["Int", "Float"]),
    st.lists(NUMBERS, min_size=2, max_size=2),
    st.fixed_dictionaries(
        {},
        optional={"step": NUMBERS, "default": NUMBERS, "sampling": st.sampled_from(["linear", "log", "reverse_log"])},
    ),
)
def test_any_range_is_searched_in_its_bounds_or_is_refused(path, kind, bounds, named):
    low, high = bounds
    content = source(returned=f"{{**{RATE}, **dict.fromkeys([], hp.{kind}('x', {low}, {high}, **{named!a}))}}")
    if is_refused(path, content):
        return
    space = jobs_of(path, content).hyperparameters()
    samples = [space.ask(lambda one, seed=seed: one.random_sample(seed))["x"] for seed in range(1, 20)]
    grid = [values["x"] for values in itertools.islice(space.combinations(), 20)]
    json.dumps([samples, grid], allow_nan=False)
    assert all(math.isfinite(value) and low - 1e-9 <= value <= high + 1e-9 for value in [*samples, *grid])


@FEW
@given(NAMES, st.one_of(st.lists(ODD, max_size=3), st.lists(st.text(max_size=3), min_size=1, max_size=3), ODD))
def test_any_choice_is_searched_or_refused(path, name, values):
    content = source(returned=f"{{**{RATE}, **dict.fromkeys([], hp.Choice({name!a}, {values!a}))}}")
    if is_refused(path, content):
        return
    space = jobs_of(path, content).hyperparameters()
    offered = {combination[str(name)] for combination in space.combinations()}
    assert offered == set(values)
    assert all(text.isprintable() for text in map(str, [name, *offered]))
