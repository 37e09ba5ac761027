"""Sessions of several objectives: records, journal, report, page and plot; and what any end leaves of them."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from pipeline.common import errors
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import cut_off, searched
from tuning.sessions.config import SessionConfig
from tuning.sessions.folder import FAILED
from tuning.sessions.journal import Journal
from tuning.sessions.oracles import journaled
from tuning.sessions.oracles.conditional_space import ConditionalSpace
from tuning.sessions.reporting import page, plots
from tuning.sessions.reporting import report as session_report
from tuning.sessions.trade_offs import plot
from tuning.sessions.trade_offs.front import front

NAMES = ("fine", "petaflop")


def tuned(path, train=stub_training.train_with_costs, **values):
    return searched(path, train, **{"objectives": "fine,petaflop", "tuner": "optuna", "max_trials": 8, **values})


def document(found):
    return json.loads(json.dumps(session_report.document(found, "python -m tuning.tune"), allow_nan=False))


def told(found):
    return [(record["hyperparameters"], record["objectives"]) for record in found.folder.records()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tuned(tmp_path_factory.mktemp("whole") / "session")


@pytest.mark.parametrize("tuner", ["random", "grid", "optuna"])
def test_report_has_the_front_and_no_best_trial(tuner, tmp_path):
    found = document(tuned(tmp_path / "session", tuner=tuner))
    assert (found["objectives"], found["best"]) == ([*NAMES], None)
    by_id = {trial["id"]: trial for trial in found["trials"]}
    assert found["front"] == [trial["id"] for trial in front(found["trials"], NAMES)]
    for trial in by_id.values():
        assert trial["objectives"] == {"fine": trial["fine"], "petaflop": trial["train_petaflop"]}
        assert trial["objective"] == trial["fine"]


def test_report_of_one_objective_has_its_best_trial_and_no_front(tmp_path):
    found = document(searched(tmp_path / "session", max_trials=1))
    assert (found["objectives"], found["front"], found["best"]["id"]) == (["both"], None, "0")
    assert "objectives" not in found["trials"][0]
    assert "Pareto" not in page.markdown(found)


@pytest.mark.parametrize("num_lines", [1, 2, 5, 8, 11])
def test_search_that_was_cut_off_ends_with_the_front_of_the_undisturbed_one(num_lines, whole, tmp_path):
    path = tmp_path / "session"
    tuned(path)
    cut_off(path / "journal.jsonl", num_lines)
    again = tuned(path)
    assert told(again) == told(whole)
    assert document(again)["front"] == document(whole)["front"]


def test_journal_alone_has_what_the_search_follows_from(whole, tmp_path, capsys):
    path = tmp_path / "session"
    tuned(path, max_trials=8)
    cut_off(path / "journal.jsonl", 12)
    (path / "trials" / "1.json").unlink()
    again = tuned(path)
    assert "trials/1.json is missing" in capsys.readouterr().err
    assert told(again) == [one for number, one in enumerate(told(whole)) if number != 1]


def test_record_of_other_objectives_than_the_journal_has_is_damaged(tmp_path):
    found = tuned(tmp_path / "session", max_trials=2)
    record = found.folder.records()[0]
    found.folder.write_record({**record, "objectives": {**record["objectives"], "petaflop": 0.0}})
    with pytest.raises(errors.DamagedError, match=r"0\.json and journal.jsonl have another"):
        tuned(tmp_path / "session", max_trials=2)


def test_journal_without_an_objective_is_damaged_where_the_record_is_missing_too(tmp_path):
    path = tmp_path / "session"
    tuned(path, max_trials=1)
    (path / "trials" / "0.json").unlink()
    text = (path / "journal.jsonl").read_text()
    (path / "journal.jsonl").write_text(text.replace('"petaflop"', '"another"'))
    with pytest.raises(errors.DamagedError, match="the line that ends trial 0 lacks petaflop"):
        tuned(path, max_trials=1)


def test_cost_that_is_no_number_fails_the_trial(tmp_path):
    found = tuned(tmp_path / "session", stub_training.train_at_no_known_cost, max_trials=2)
    records = found.folder.records()
    assert [(record["status"], record["reason"]) for record in records] == [
        (FAILED, "the objective petaflop is nan")
    ] * 2
    report = document(found)
    assert report["front"] == []
    assert "0 of 2 trials completed" in page.markdown(report)
    assert plots.draw(report, tmp_path) == []


@pytest.mark.parametrize("other", ["fine,parameters", "petaflop,fine", "fine"])
def test_folder_takes_its_own_objectives_alone(other, tmp_path):
    path = tmp_path / "session"
    tuned(path, max_trials=1)
    with pytest.raises(errors.BadArgumentError, match="belongs to another session: objectives='fine,petaflop' there"):
        tuned(path, max_trials=1, objectives=other)


def test_session_of_an_earlier_version_goes_on(tmp_path):
    path = tmp_path / "session"
    searched(path, max_trials=1)
    identity = json.loads((path / "session.json").read_text())
    del identity["objectives"]
    (path / "session.json").write_text(json.dumps(identity))
    assert len(searched(path, max_trials=1).folder.records()) == 1


def test_model_learns_in_the_direction_of_each_objective(tmp_path):
    """Accuracy is best at x = 0.2 and the cost is y: the later proposals are nearer to both than the first ones."""

    def ask(hp):
        hp.Float("x", 0.0, 1.0)
        hp.Float("y", 0.0, 1.0)

    points = []
    for seed in range(4):
        config = SessionConfig(tuner="optuna", objectives="fine,petaflop", max_trials=45, seed=seed)
        oracle = journaled.build(config, ConditionalSpace(ask), Journal(tmp_path / str(seed)))
        while (trial := oracle.create_trial("worker")).status == "RUNNING":
            values = trial.hyperparameters.values
            points.append((abs(values["x"] - 0.2), values["y"]))
            costs = {"fine": -points[-1][0], "petaflop": points[-1][1]}
            oracle.finish(trial, {"status": "COMPLETED", "objective": costs["fine"], "objectives": costs})
    first, last = (np.mean(np.reshape(points, (4, 45, 2))[:, part], axis=(0, 1)) for part in (slice(15), slice(30, 45)))
    assert (last < 0.7 * first).all()


def test_page_terminal_and_plot_show_the_front(whole, tmp_path):
    found = document(whole)
    text = page.markdown(found, ["trade_offs.png"])
    heading = text.splitlines().index("| trial | fine (%) | petaflop | epochs | seconds | hyperparameters |")
    rows = text.splitlines()[heading + 2 : heading + 2 + len(found["front"])]
    assert [row.split(" | ")[0] for row in rows] == [f"| {trial_id}" for trial_id in found["front"]]
    assert text.index("## Pareto front") < text.index("## Trials")
    assert "fine accuracy on validation and petaflop (minimized)" in text
    console = Console(width=120, record=True)
    page.show(found, console)
    assert "Pareto front" in console.export_text()
    assert tmp_path / "trade_offs.png" in plots.draw(found, tmp_path)
    assert imread(tmp_path / "trade_offs.png").std() > 0.05


def test_every_axis_of_the_plot_is_labelled_and_equal_trials_share_a_name():
    names = ("fine", "parameters", "step_ms")
    trials = [
        {"id": str(number), "objectives": dict(zip(names, point, strict=True))}
        for number, point in enumerate([(0.5, 100, 9.0), (0.5, 100, 9.0), (0.4, 90, 5.0), (0.1, 200, 9.0)])
    ]
    drawn = plot.figure(trials, front(trials, names), names)
    assert [axes.get_xlabel() for axes in drawn.axes] == ["parameters of the network", "time of a training step (ms)"]
    assert drawn.axes[0].get_ylabel() == "fine accuracy on validation (%)"
    assert [text.get_text() for text in drawn.axes[0].texts] == ["0, 1", "2"]
    assert {text.get_text() for text in drawn.legends[0].get_texts()} == {"one trial", "Pareto front"}
