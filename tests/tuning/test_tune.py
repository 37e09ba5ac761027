"""The binary as a person meets it: a session on shapes100_tiny, its report, its best trial trained again."""

import functools
import json
import shlex
import shutil
import subprocess
import sys

import pytest

from models import train
from models.config import saved
from tests.binaries import call, call_here
from tests.tuning import stub_training
from tuning import tune
from tuning.sessions import retraining, search
from tuning.sessions.budget import Budget

SPACE = """
BASE = {
    "preset": "quick", "architecture": "speedrun", "widths": "8,8,16", "bottlenecks": "8,8,16", "num_validation": 500,
    "batch_size": 100, "optimizer": "adam", "schedule": "constant", "freeze_trunk": True,
}


def space(hp):
    values = {
        "learning_rate": hp.Choice("learning_rate", [1e-3, 1e-2]),
        "fine_hidden_layers": hp.Int("fine_hidden_layers", 0, 1),
    }
    if values["fine_hidden_layers"]:
        values["fine_hidden_units"] = hp.Choice("fine_hidden_units", [32, 64])
    return values
"""

LINEAR = """
BASE = {"preset": "linear", "num_validation": 500, "precision": "float32"}


def space(hp):
    return {"learning_rate": hp.Choice("learning_rate", [1e-3, 1e-2])}
"""


@pytest.fixture(scope="module")
def tuned(tiny_data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("it's a (small) session")
    (folder / "mine.py").write_text(SPACE)
    flags = [
        *(f"--space={folder / 'mine.py'}", "--tuner=grid", "--max_trials=2", "--max_epochs=2", "--precision=float32"),
        *("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--session_dir={folder / 'session'}"),
    ]
    done = call("tuning.tune", *flags)
    assert done.returncode == 0, done.stderr
    return folder, flags, done.stdout


def test_session_leaves_a_report_and_pictures(tuned):
    folder, flags, told = tuned
    names = {path.name for path in (folder / "session").iterdir()}
    assert {"report.json", "report.md", "best.json", "objective.png", "parallel_coordinates.png", "trunk"} <= names
    report = json.loads((folder / "session" / "report.json").read_text())
    assert [trial["status"] for trial in report["trials"]] == ["COMPLETED"] * 2
    assert {trial["precision"] for trial in report["trials"]} == {"float32"}
    assert shlex.split(report["command"]) == ["python", "-m", "tuning.tune", *flags]
    rates_and_layers = [{"learning_rate": 1e-3, "fine_hidden_layers": layers} for layers in (0, 1)]
    units = [{}, {"fine_hidden_units": 32}]
    expected = [{**first, **second} for first, second in zip(rates_and_layers, units, strict=True)]
    assert [trial["hyperparameters"] for trial in report["trials"]] == expected
    assert "2 of 2 trials completed" in told
    after_trunk = told.partition("training the trunk, the preset quick, 5 epochs")[2]
    assert 0 < after_trunk.index("Epoch 5/5") < after_trunk.index("trial ")
    assert "NOT CIFAR-100" in told


def test_best_trial_is_reproduced_exactly_by_the_command_that_the_session_prints(tuned, monkeypatch):
    """Which is to be pasted, unlike those of Mic92/nixpkgs-review#399 and amoffat/sh#756: the folder has a quote."""
    folder, _, told = tuned
    *_, command_line, last_line = told.splitlines()
    assert last_line == f"Report: {folder / 'session' / 'report.md'}"
    words = f"printf '%s\\n' {command_line.partition(': ')[2]}"
    pasted = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True).stdout.splitlines()
    assert pasted[1:3] == ["-m", "models.train"]
    assert call_here(monkeypatch, train.main, train.flags, *pasted[3:]) == 0
    best = json.loads((folder / "session" / "report.json").read_text())["best"]
    (report,) = (folder / "session" / "retrained").glob("*/report.json")
    found = json.loads(report.read_text())
    assert (found["fine_accuracy"], found["coarse_from_fine_accuracy"]) == (best["fine"], best["coarse"])
    assert found["split"] == "validation"


def test_best_trial_of_a_moved_session_begins_with_the_trunk_there(tuned, tmp_path):
    folder, _, _ = tuned
    moved = shutil.copytree(folder / "session", tmp_path / "moved")
    assert saved.load(moved / "best.json")["init_from"] == str(moved / "trunk")


def test_finished_session_only_reports_again(tuned, monkeypatch, capsys):
    folder, flags, _ = tuned
    before = (folder / "session" / "journal.jsonl").read_bytes()
    assert call_here(monkeypatch, tune.main, tune.flags, *flags) == 0
    assert (folder / "session" / "journal.jsonl").read_bytes() == before
    assert f"{folder / 'session'}: no trials, time (--max_minutes)" in capsys.readouterr().out


def test_session_that_retrains_prints_no_command_that_does_it_again(tuned, monkeypatch, capsys):
    _, flags, _ = tuned
    monkeypatch.setattr(retraining, "run", lambda *_, **options: None)
    assert call_here(monkeypatch, tune.main, tune.flags, *flags, "--retrain_best") == 0
    assert "models.train" not in capsys.readouterr().out


SIZES = """
BASE = {"preset": "linear", "num_validation": 500, "precision": "float32"}


def space(hp):
    return {
        "learning_rate": hp.Float("learning_rate", 0.1, 0.5),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.5, 1.0, 2.0]),
    }
"""


@pytest.fixture
def retrained(monkeypatch):
    """The trials that are trained again."""
    trials = []

    def run(session, trial, seeds, on_poll, has_controls):
        on_poll()
        trials.append((trial["id"], len(seeds)))

    monkeypatch.setattr(retraining, "run", run)
    return trials


def test_trade_offs_end_with_the_front_and_a_command_that_trains_one_of_them_again(
    tiny_data_dir, tmp_path, monkeypatch, capsys, retrained
):
    (tmp_path / "mine.py").write_text(SIZES)
    flags = [f"--space={tmp_path / 'mine.py'}", "--objectives=fine,petaflop", "--max_trials=6"]
    flags += ["--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--session_dir={tmp_path / 'session'}"]
    monkeypatch.setattr(search, "run", functools.partial(search.run, train=stub_training.train_with_costs))
    monkeypatch.setattr(sys, "argv", ["tune.py", *flags])
    assert call_here(monkeypatch, tune.main, tune.flags, *flags) == 0
    told = capsys.readouterr().out
    report = json.loads((tmp_path / "session" / "report.json").read_text())
    front, ids = report["front"], [trial["id"] for trial in report["trials"]]
    assert report["tuner"] == "optuna"  # the default of several objectives
    assert 0 < len(front) < len(ids) == 6
    assert "models.train" not in told
    assert not (tmp_path / "session" / "best.json").exists()
    *_, line, _ = told.splitlines()
    assert shlex.split(line)[-len(flags) - 1 :] == [*flags, f"--pick={front[0]}"]
    off_the_front = next(trial_id for trial_id in ids if trial_id not in front)
    for trial_id, seeds in ((front[0], 3), (off_the_front, 2)):
        assert (
            call_here(monkeypatch, tune.main, tune.flags, *flags, f"--pick={trial_id}", f"--retrain_seeds={seeds}") == 0
        )
    assert retrained == [(front[0], 3), (off_the_front, 2)]
    assert call_here(monkeypatch, tune.main, tune.flags, *flags, "--pick=17") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: pick='17': ")
    assert error.endswith(", ".join(front))


def test_pick_of_a_session_of_one_objective_trains_without_any_more_search(tuned, monkeypatch, capsys, retrained):
    """Even if the minutes of the session end meanwhile."""
    _, flags, _ = tuned
    monkeypatch.setattr(search, "run", None)
    left = iter([1.0])
    monkeypatch.setattr(Budget, "left", lambda self: next(left, 0.0))
    assert call_here(monkeypatch, tune.main, tune.flags, *flags, "--pick=1") == 0
    assert retrained == [("1", 3)]
    assert "only the report is drawn again" not in capsys.readouterr().out


def test_session_interrupted_in_its_first_trial_says_how_to_go_on(
    tiny_data_dir, tmp_path, monkeypatch, capsys, press_ctrl_c
):
    (tmp_path / "mine.py").write_text(LINEAR)
    flags = [f"--space={tmp_path / 'mine.py'}", "--tuner=grid", "--max_trials=2", "--dataset=shapes100_tiny"]
    flags += [f"--data_dir={tiny_data_dir}", f"--session_dir={tmp_path / 'session'}"]
    monkeypatch.setattr(search, "run", functools.partial(search.run, train=stub_training.train_until_asked_to_end))
    press_ctrl_c(tmp_path / "session" / "runs" / "0" / "metrics.jsonl")
    assert call_here(monkeypatch, tune.main, tune.flags, *flags) == 3
    told = capsys.readouterr()
    line = "error: interrupted; finished trials and jobs are kept; run the same command again to resume"
    assert told.err.splitlines()[-1] == line
    assert (tmp_path / "session" / "runs" / "0" / "saved").exists()
    assert "trials completed" not in told.out
    assert not (tmp_path / "session" / "report.json").exists()


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--space=head"], 2, "space='head': expected FILE.py or one of heads, original, full; did you mean 'heads'?"),
        (
            ["--tuner=grit"],
            2,
            "tuner='grit': expected one of hyperband, bayesian, random, grid, optuna; did you mean 'grid'?",
        ),
        (["--init_from=/none"], 2, "init_from=/none: expected a folder that models.train wrote"),
        (["--space=full", "--init_from=/none"], 2, "space full trains whole networks; leave it out"),
        (["--serve=127.0.0.1:1", "--join=127.0.0.1:1"], 2, "set only one"),
        (["--serve=127.0.0.1:1", "--workers=2"], 2, "a chief trains no trial"),
        (["--serve=8700"], 2, "serve=8700: expected HOST:PORT, such as 127.0.0.1:8700"),
        (["--join=host:99999"], 2, "join=host:99999: expected HOST:PORT"),
        (["--objectives=fine,speed"], 2, "'speed' is unknown; expected some of both, fine, coarse, petaflop"),
        (["--objectives=fine,petaflop", "--objective=fine"], 2, "set only one"),
        (["--objectives=fine,petaflop", "--tuner=hyperband"], 2, "--tuner=hyperband chooses trials by one score"),
        (["--objectives=fine,petaflop", "--retrain_best"], 2, "choose one by --pick"),
        (["--pick=0"], 2, "pick='0': expected the number of a completed trial; the best: none yet"),
        (["--pick=0", "--retrain_best"], 2, "set only one"),
        (["--pick=0", "--join=127.0.0.1:1"], 2, "nothing reads it with --serve or --join"),
        (["--tuner=hyperband", "--max_trials=3"], 2, "max_trials=3: hyperband's number of trials follows"),
    ],
)
def test_wrong_flags_are_one_line_before_any_work(flags, code, message):
    done = call("tuning.tune", *flags)
    lines = [line for line in done.stderr.splitlines() if line]
    assert (done.returncode, len(lines)) == (code, 1), done.stderr
    assert message in lines[0]
