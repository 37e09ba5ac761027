"""The files of a begun session and study, whatever they hold, are read or refused in one line that names the folder."""

import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets.canonical import Fingerprints
from tests.faults.test_config_files import FEW, ODD
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import BASE, SOURCE, choose, searched
from tuning.sessions.config import TUNERS, SessionConfig
from tuning.sessions.reporting import report as session_report
from tuning.sessions.search_space import Space
from tuning.sessions.session import open_session
from tuning.sessions.trade_offs import objectives
from tuning.studies import catalogue, design
from tuning.studies import report as study_report
from tuning.studies.folder import StudyFolder, open_study

STUDY = catalogue.find("normalisation")
DATA = Fingerprints("records", "order")
REMOVED = object()


def jobs_of(budget: str = "smoke", seed: int = 0, **source: Any):
    return STUDY.jobs(STUDY.variants, budget, [seed], SourceConfig(dataset="shapes100_tiny", **source))


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> pathlib.Path:
    return searched(tmp_path_factory.mktemp("session") / "session", max_trials=2).folder.path


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> pathlib.Path:
    path, jobs = tmp_path_factory.mktemp("study") / "study", jobs_of()
    with open_study(path, STUDY.name, "smoke", jobs) as folder:
        folder.settle_data(DATA)
        for job in jobs:
            folder.write_finished(job, stub_training.outcome(job), 1.0)
    return path


def read_session(path: pathlib.Path) -> None:
    """Read a session as the call does that only draws its report."""
    config = SessionConfig(space="mine", tuner="random", max_trials=2, max_epochs=3)
    with open_session(path, config, Space("mine", choose, BASE), SOURCE) as session:
        session.folder.retrained()
        session_report.document(session, "command")


def read_study(path: pathlib.Path) -> None:
    """Read a study as the call does that only draws its report."""
    with open_study(path, STUDY.name, "smoke", jobs_of()) as folder:
        folder.settle_data(DATA)
        study_report.document(STUDY, "smoke", SourceConfig(dataset="shapes100_tiny"), folder.results())


def outcome(read: Callable[[pathlib.Path], None], path: pathlib.Path) -> str:
    """The error of a folder; "" where it is read."""
    try:
        read(path)
    except (errors.BadArgumentError, errors.FailedError) as error:
        return str(error)
    return ""


def changed(made: pathlib.Path, name: str, change: Callable[[dict[str, Any]], object]) -> pathlib.Path:
    """A copy of a folder in which the last JSON object of a file is changed."""
    path = made.with_name("copy")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(made, path)
    *lines, last = (path / name).read_text().splitlines() if name.endswith("l") else [(path / name).read_text()]
    value = json.loads(last)
    change(value)
    (path / name).write_text("\n".join([*lines, json.dumps(value)]) + "\n")
    return path


def places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The keys and indices that lead to each value in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, item in inner for found in places(item, (*place, key)))][0 if place else 1 :]


def put(value: Any, place: tuple[str | int, ...], new: Any) -> None:
    """Replace or remove the value at a place."""
    for key in place[:-1]:
        value = value[key]
    if new is REMOVED:
        value.pop(place[-1], None) if isinstance(value, dict) else value.pop()
    else:
        value[place[-1]] = new


SESSION_FILES = ("session.json", "journal.jsonl", "trials/0.json")
STUDY_FILES = ("study.json", "cells/unit-seed-0.json")


@pytest.mark.parametrize(
    ("folder", "read", "flag", "name"),
    [
        *(("session", read_session, "session_dir", name) for name in SESSION_FILES),
        *(("study", read_study, "study_dir", name) for name in STUDY_FILES),
    ],
)
def test_any_value_anywhere_is_read_or_refused(folder, read, flag, name, request):
    made = request.getfixturevalue(folder)
    text = (made / name).read_text()
    known = places(json.loads(text.splitlines()[-1] if name.endswith("l") else text))
    num_refused = 0

    @FEW
    @given(st.sampled_from([*known, ("another",)]), st.one_of(ODD, st.just(REMOVED)))
    def check(place, value):
        nonlocal num_refused
        path = changed(made, name, lambda whole: put(whole, place, value))
        message = outcome(read, path)
        num_refused += bool(message)
        # A trial's record that has another configuration may be right, and the space may have changed.
        assert not message or message.startswith((f"{flag}={path}", "space=mine: has changed since trial 0"))

    check()
    assert num_refused or name.startswith("cells")  # a damaged result of a job is trained again


@FEW
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "tuner": st.sampled_from(TUNERS),
            "objective": st.sampled_from(objectives.ACCURACIES),
            "fine_weight": st.floats(0.0, 1.0),
            "max_trials": st.integers(1, 2**31),
            "max_epochs": st.integers(1, 10**6),
            "patience": st.integers(0, 2**31),
            "seed": st.integers(0, 2**63 - 1),
            "precision": st.sampled_from(["float32", "mixed_bfloat16"]),
        },
    )
)
def test_session_opens_again_with_its_own_configuration_alone(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("sessions") / "session"

    def opened(**values):
        config = SessionConfig(**{"space": "mine", "precision": "float32", **values})
        with open_session(path, config, Space("mine", choose, BASE), SOURCE) as session:
            return session.folder.identity()

    assert opened(**values) == opened(**values)
    seed = (values.get("seed", 0) + 1) % 2**63
    with pytest.raises(errors.BadArgumentError, match=f"^session_dir={path} belongs to another session: seed="):
        opened(**{**values, "seed": seed})


@FEW
@given(st.sampled_from(design.BUDGETS), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_study_opens_again_with_any_seed_and_its_own_budget_alone(tmp_path_factory, budget, first, second):
    path = tmp_path_factory.mktemp("studies") / "study"
    for seed in (first, second):
        with open_study(path, STUDY.name, budget, jobs_of(budget, seed)) as folder:
            folder.settle_data(DATA)
            job = jobs_of(budget, seed)[0]
            folder.write_finished(job, stub_training.outcome(job), 1.0)
    assert len(StudyFolder(path).results()) == len({first, second})
    for other in {*design.BUDGETS} - {budget}:
        with (
            pytest.raises(
                errors.BadArgumentError, match=f"^study_dir={path} belongs to another configuration: budget="
            ),
            open_study(path, STUDY.name, other, jobs_of(other, first)),
        ):
            pass
