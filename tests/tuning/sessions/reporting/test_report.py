"""A session's document says what was best and what mattered; its pictures are drawn from the document alone."""

import dataclasses
import json

import pytest
from matplotlib.image import imread
from rich.console import Console

from pipeline.data_config import SourceConfig
from tests.tuning import stub_training
from tuning.sessions import retraining, session
from tuning.sessions.config import SessionConfig
from tuning.sessions.folder import COMPLETED, FAILED
from tuning.sessions.reporting import page as session_page
from tuning.sessions.reporting import plots, write
from tuning.sessions.reporting import report as session_report
from tuning.sessions.search_space import Space

BASE = {"preset": "linear", "num_validation": 500}


CONFIG = {
    "epochs": 3.0,
    "archive": "/home/one/archive",
    "data_dir": "/home/one/data",
    "init_from": "/home/one/trunk",
}


def record(number, rate, kind, status=COMPLETED, **more):
    values = {"rate": rate, "kind": kind, **more.pop("hyperparameters", {})}
    about = {"id": f"{number:02d}", "hyperparameters": values, "seconds": 10.0, "status": status}
    if status == FAILED:
        return {**about, "reason": "no room for the network"}
    objective = 0.5 - abs(rate - 0.3) + 0.001 * (number % 2)
    accuracies = {"objective": objective, "fine": objective - 0.1, "coarse": objective + 0.1}
    more = {"git_commit": f"commit {number % 2}", **more}
    return {**about, **accuracies, "precision": "mixed_bfloat16", "epochs": 3.0, "config": CONFIG, **more}


RECORDS = [record(number, rate=0.1 * (number % 6), kind="ab"[number % 2]) for number in range(24)]


@pytest.fixture
def tuned(tmp_path):
    config = SessionConfig(space="mine", tuner="random", max_epochs=3, fine_weight=0.5)
    space = Space("mine", lambda hp: {"learning_rate": hp.Choice("learning_rate", [0.1, 0.2])}, BASE)
    with session.open_session(tmp_path / "session", config, space, SourceConfig(dataset="shapes100_tiny")) as found:
        yield found


def document(tuned, records=RECORDS):
    for one in records:
        tuned.folder.write_record(one)
    return json.loads(json.dumps(session_report.document(tuned, "python -m tuning.tune"), allow_nan=False))


def test_document_has_every_trial_and_the_best_with_its_configuration(tuned):
    found = document(tuned, [*RECORDS, record(24, 0.3, "a", FAILED)])
    assert [trial["id"] for trial in found["trials"]] == [f"{number:02d}" for number in range(25)]
    assert found["trials"][24] == {
        "id": "24",
        "hyperparameters": {"rate": 0.3, "kind": "a"},
        "seconds": 10.0,
        "status": FAILED,
        "reason": "no room for the network",
    }
    keys = {"id", "status", "precision", "hyperparameters", "objective", "fine", "coarse", "epochs", "seconds"}
    assert keys <= found["trials"][0].keys()
    assert found["git_commit"] == "commit 1 and commit 0"  # of the trials, the best one's first
    assert found["best"]["id"] == "03"  # the first of those with the best rate and the odd number's bonus
    assert found["best"]["config"] == {"epochs": 3.0}  # without the paths of this machine


def test_hyperparameter_that_decides_is_the_important_one(tuned):
    found = document(tuned)["importance"]
    assert list(found) == ["rate", "kind"]
    assert found["rate"] > 0.8  # the kind follows from the rate's number, and so knows something of it
    assert sum(found.values()) == pytest.approx(1.0, abs=0.001)


def test_few_trials_say_nothing_of_importance_and_equal_ones_that_nothing_mattered(tuned):
    assert session_report.importance(RECORDS[:7]) is None
    assert session_report.importance(RECORDS[:8]) is not None
    third = {f"other_{number}": number for number in range(11)}
    many = [{**one, "hyperparameters": {**one["hyperparameters"], **third}} for one in RECORDS]
    assert session_report.importance(many) is None  # 24 trials of 13
    equal = [{**one, "objective": 0.5} for one in RECORDS]
    assert session_report.importance(equal) == {"rate": 0.0, "kind": 0.0}


def test_page_and_terminal_tell_the_best_first_and_what_failed(tuned):
    found = document(tuned, [*RECORDS, record(24, 0.3, "a", FAILED)])
    page = session_page.markdown(found)
    lines = page.splitlines()
    first = lines.index("| --- | --- | --- | --- | --- | --- | --- | --- |") + 1
    assert lines[first] == "| 1 | 03 | 50.10 | 40.10 | 60.10 | 3 | 10 | rate=0.3, kind=b |"
    assert "- 24: no room for the network" in lines
    assert "24 of 25 trials completed" in page
    assert "the mean of fine and coarse accuracy on validation" in page
    assert "NOT CIFAR-100" in page
    console = Console(width=120, record=True)
    session_page.show(found, console)
    told = console.export_text()
    assert "50.10" in told
    assert told.count("NOT CIFAR-100") == 1


def test_session_without_a_completed_trial_has_a_report_too(tuned, tmp_path):
    found = document(tuned, [record(0, 0.3, "a", FAILED)])
    assert (found["best"], found["importance"]) == (None, None)
    assert "0 of 1 trials completed" in session_page.markdown(found)
    assert plots.draw(found, tmp_path) == []


def test_every_picture_is_drawn_from_the_document(tuned, tmp_path):
    rungs = [
        {"tuner/bracket": 1, "tuner/epochs": 1, "tuner/trial_id": ""},
        {"tuner/bracket": 1, "tuner/epochs": 3, "tuner/trial_id": "00"},
        {"tuner/bracket": 0, "tuner/epochs": 3, "tuner/trial_id": ""},
    ]
    records = [
        {**one, "hyperparameters": {**one["hyperparameters"], **rungs[number % 3]}}
        for number, one in enumerate(RECORDS)
    ]
    found = document(tuned, [*records, record(24, 0.3, "a", FAILED)])
    paths = plots.draw(found, tmp_path)
    assert {path.stem for path in paths} == {"objective", "parallel_coordinates", "importance", "brackets"}
    for path in paths:
        assert imread(path).std() > 0.05  # something is on it


def test_hyperparameter_that_some_trials_have_is_drawn_and_its_condition_explains_the_rest(tuned, tmp_path):
    """Trials of "b" are better by 0.2; among them the units matter little, and other trials have none."""
    records = []
    for number, one in enumerate(RECORDS):
        is_b = one["hyperparameters"]["kind"] == "b"
        values = {"kind": one["hyperparameters"]["kind"], **({"units": number % 4} if is_b else {})}
        records.append({**one, "hyperparameters": values, "objective": 0.3 + 0.2 * is_b + 0.001 * (number % 4)})
    found = document(tuned, records)
    assert found["importance"]["kind"] > 0.9
    assert found["importance"].keys() == {"kind", "units"}
    assert tmp_path / "parallel_coordinates.png" in plots.draw(found, tmp_path)
    assert "kind=b, units=" in session_page.markdown(found)


def test_lengths_of_hyperbands_trials_are_told_and_a_short_best_one(tuned):
    def rung(number, epochs, objective):
        values = {"tuner/bracket": 1, "tuner/epochs": epochs}
        return {**record(number, 0.3, "a", hyperparameters=values), "objective": objective}

    found = document(tuned, [rung(0, 1, 0.2), rung(1, 1, 0.3), rung(2, 3, 0.3)])
    assert found["best"]["id"] == "02"  # of equal ones the longer
    page = session_page.markdown(found)
    assert "- trials of bracket 1: 2 of 1, 1 of 3 epochs\n" in page
    assert "of full length" not in page
    short = session_page.markdown(document(tuned, [rung(0, 1, 0.4)]))
    assert "- the best trial was trained for 1 of 3 epochs; the best of full length: trial 02, 30.00 %\n" in short
    del found["max_epochs"]  # as in reports of earlier versions
    assert session_page.markdown(found) == page


def test_what_is_trained_again_learns_as_long_as_the_preset(tuned, tmp_path):
    """Whatever patience and epochs the trials had."""
    untuned = tuned.jobs.trunk(0)
    best = {
        **record(0, 0.3, "a"),
        "config": {**tuned.jobs.trial("0", tuned.jobs.hyperparameters().defaults).config, "patience": 3, "epochs": 1.0},
    }
    again = retraining._tuned(tuned, best, 1, untuned, tmp_path)
    assert (again.train.seed, again.train.patience, again.train.epochs) == (1, 0, untuned.train.epochs)


def test_best_trial_is_trained_again_beside_the_preset_and_test_is_read_once(tuned):
    best = {**record(0, 0.3, "a"), "config": tuned.jobs.trial("0", tuned.jobs.hyperparameters().defaults).config}
    for _ in range(2):  # the second time all of it is finished
        found = retraining.run(tuned, best, range(2), stub_training.train_again, stub_training.evaluate_once)
        assert found["untuned"] == pytest.approx({"0": 0.6, "1": 0.61})
        assert found["tuned"] == pytest.approx({"0": 0.65, "1": 0.66})
        assert found["test"] == pytest.approx({"fine": 0.4, "coarse": 0.6})
    report = document(tuned)
    page = session_page.markdown(report, ["objective.png"])
    assert "- the untuned preset: 60.50 ± 0.71 % on validation, seeds 0, 1\n" in page
    assert "- trial 00, retrained: 65.50 ± 0.71 % on validation, seeds 0, 1\n" in page
    assert "- trial 00 minus the untuned preset: +5.00, +5.00 points by seed\n" in page
    assert "- that trial on test: fine 40.00 %, coarse 60.00 %, mean over the seeds\n" in page
    assert "![objective.png](objective.png)" in page
    told = session_page.retrained_lines({**report["retrained"], "test": {"fine": None, "coarse": 0.6}})
    assert told[-1] == "- that trial on test: coarse 60.00 %, mean over the seeds"


def test_controls_are_the_preset_for_as_long_as_trunk_and_heads_and_the_trial_in_float32(tuned, monkeypatch):
    tuned.space = dataclasses.replace(tuned.space, has_frozen_trunk=True)
    config = tuned.jobs.trial("0", tuned.jobs.hyperparameters().defaults).config
    best = {**record(0, 0.3, "a"), "config": {**config, "precision": "mixed_bfloat16"}}
    seen = []

    def train(job, run_dir):
        seen.append((job.label, job.train.seed, job.train.epochs, job.train.precision, bool(job.train.init_from)))
        return stub_training.outcome(job, accuracy=0.5 + 0.01 * len(job.label) + 0.001 * job.train.seed**2)

    # In this process, so that `seen` is.
    monkeypatch.setattr(retraining.WorkerPool, "call", lambda self, function, *values, on_poll: function(*values))
    found = retraining.run(tuned, best, range(3), train, stub_training.evaluate_once, has_controls=True)
    assert seen[4:8] == [
        ("untuned", 1, 10.0, "auto", False),
        ("tuned-00", 1, 3.0, "mixed_bfloat16", True),
        ("untuned-longer-13", 1, 13.0, "auto", False),
        ("tuned-00-float32", 1, 3.0, "float32", True),
    ]
    assert found["longer_epochs"] == 13.0
    page = session_page.retrained_lines(document(tuned)["retrained"])
    assert [line.partition(": ")[0] for line in page] == [
        "- the untuned preset",
        "- the untuned preset for 13 epochs, as many as trunk and heads together",
        "- trial 00, retrained",
        "- that trial in float32",
        "- trial 00 minus the untuned preset",
        "- trial 00 minus the untuned preset for 13 epochs, as many as trunk and heads together",
        "- trial 00 minus that trial in float32",
        "- that trial on test",
    ]
    assert page[-2].endswith(": -8.00 points (-8.00 to -8.00); by seed -8.00, -8.00, -8.00")


@pytest.mark.parametrize("serve", [["--serve=127.0.0.1:1"], ["--serve", "127.0.0.1:1"]])
def test_trial_of_a_chief_s_session_is_picked_without_serving(serve):
    flags = ["--space=mine.py", "--objectives=fine,petaflop"]
    command = write.pick_command(flags, "02")
    assert command.endswith("-m tuning.tune --space=mine.py --objectives=fine,petaflop --pick=02")
    assert "--pick=02, without --serve" in write.pick_command([*flags, *serve], "02")
