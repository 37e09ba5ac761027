"""Hyperband's brackets end with trials of full length, and a journal leads back to the same state."""

import collections
import random

import pytest

from tests.tuning.sessions.small_sessions import BASE, cut_off, searched
from tuning.sessions.config import SessionConfig
from tuning.sessions.journal import Journal
from tuning.sessions.oracles import journaled
from tuning.sessions.oracles.conditional_space import ConditionalSpace
from tuning.sessions.oracles.oracle import COMPLETED, FAILED, IDLE, RUNNING

MANY = 1000


def oracle_of(path, num_combinations, max_epochs=9, **values):
    def ask(hp):
        hp.Int("place", 0, num_combinations - 1)

    config = SessionConfig(tuner="hyperband", max_epochs=max_epochs, **values)
    return journaled.build(config, ConditionalSpace(ask), Journal(path))


def search(oracle, num_workers=1, seed=0, fails=lambda trial: False):
    """Let workers ask and end in an order that `seed` draws, until there is nothing to ask for."""
    order = random.Random(seed)
    while True:
        trials = [oracle.create_trial(str(number)) for number in range(num_workers)]
        running = [trial for trial in trials if trial.status == RUNNING]
        if not running:
            assert {trial.status for trial in trials} == {"STOPPED"}
            return oracle
        for trial in order.sample(running, order.randint(1, len(running))):
            values = trial.hyperparameters.values
            record = {"status": COMPLETED, "objective": values["place"] + 0.01 * values["tuner/epochs"]}
            oracle.finish(trial, {"status": FAILED} if fails(trial) else record)


def rungs(oracle, bracket) -> dict[int, int]:
    """The number of trials of a bracket by their epochs."""
    values = [trial.hyperparameters.values for trial in oracle.trials.values()]
    return dict(collections.Counter(one["tuner/epochs"] for one in values if one["tuner/bracket"] == bracket))


def epochs_of_completed(oracle) -> list[int]:
    trials = [trial for trial in oracle.trials.values() if trial.status == COMPLETED]
    return sorted(trial.hyperparameters.values["tuner/epochs"] for trial in trials)


def state(oracle):
    trials = {name: (trial.status, trial.hyperparameters.values, trial.score) for name, trial in oracle.trials.items()}
    return trials, oracle._brackets, oracle._current_bracket, oracle._seed_state


@pytest.mark.parametrize("num_workers", [1, 3])
def test_trial_is_of_the_bracket_of_the_trial_that_it_continues(num_workers, tmp_path):
    oracle = search(oracle_of(tmp_path / "journal", MANY), num_workers)
    assert [rungs(oracle, bracket) for bracket in (2, 1, 0)] == [{1: 9, 3: 3, 9: 1}, {3: 5, 9: 2}, {9: 3}]
    num_promoted = 0
    for trial in oracle.trials.values():
        values = trial.hyperparameters.values
        if "tuner/trial_id" in values:
            num_promoted += 1
            past = oracle.trials[values["tuner/trial_id"]].hyperparameters.values
            assert values["tuner/bracket"] == past["tuner/bracket"]
            assert values["tuner/round"] == past["tuner/round"] + 1
            assert values["tuner/initial_epoch"] == past["tuner/epochs"]
            assert values["place"] == past["place"]
    assert num_promoted == 3 + 1 + 2


def test_best_of_a_rung_are_promoted_in_whatever_order_trials_end(tmp_path):
    for seed in range(3):
        oracle = search(oracle_of(tmp_path / f"journal_{seed}", MANY), num_workers=4, seed=seed)
        for bracket in oracle._brackets:
            for past, rung in zip(bracket["rounds"], bracket["rounds"][1:], strict=False):
                scores = sorted((oracle.trials[info["id"]].score for info in past), reverse=True)
                promoted = [oracle.trials[info["past_id"]].score for info in rung]
                assert sorted(promoted, reverse=True) == scores[: len(rung)]


@pytest.mark.parametrize("num_combinations", [2, 5, 9, 14, 15])
@pytest.mark.parametrize("num_workers", [2, 3])
def test_session_of_a_small_space_continues(num_combinations, num_workers, tmp_path):
    """Keras Tuner's opens a bracket for a question that it answers IDLE, which a journal does not tell."""
    path = tmp_path / "journal"
    whole = search(oracle_of(path, num_combinations), num_workers)
    lines = path.read_text().splitlines(keepends=True)
    for number in range(0, len(lines), 6):
        cut = tmp_path / "cut"
        cut.write_text("".join(lines[: number + 1]))
        once = oracle_of(cut, num_combinations)
        assert state(oracle_of(cut, num_combinations)) == state(once)
        search(once, num_workers)
        assert epochs_of_completed(once)[-1] == 9
    assert state(oracle_of(path, num_combinations)) == state(whole)
    assert {trial.hyperparameters.values["place"] for trial in whole.trials.values()} == set(range(num_combinations))


def test_question_in_vain_changes_nothing(tmp_path):
    oracle = oracle_of(tmp_path / "journal", num_combinations=2)
    for worker in ("one", "two"):
        oracle.create_trial(worker)
    before = state(oracle)
    assert [oracle.create_trial("three").status for _ in range(3)] == [IDLE] * 3
    assert state(oracle) == before


@pytest.mark.parametrize("num_combinations", [1, 3, 5, 8])
@pytest.mark.parametrize("num_workers", [1, 3])
def test_best_of_a_space_smaller_than_the_first_rung_is_trained_in_full(num_combinations, num_workers, tmp_path):
    """keras-team/keras-tuner#676 (ends after the first rung) and #844 (never ends)."""
    oracle = search(oracle_of(tmp_path / "journal", num_combinations), num_workers)
    trained = {
        trial.hyperparameters.values["place"]
        for trial in oracle.trials.values()
        if trial.hyperparameters.values["tuner/epochs"] == 9
    }
    assert trained == {num_combinations - 1}
    assert rungs(oracle, 2) == {1: num_combinations, 3: min(3, num_combinations), 9: 1}


@pytest.mark.parametrize("num_workers", [1, 3])
@pytest.mark.parametrize("failing", [["0000"], ["0008"], [f"000{number}" for number in range(7)], ["0009"], ["0010"]])
def test_failed_trials_starve_no_bracket(failing, num_workers, tmp_path):
    """Keras Tuner's [9, 3, 1] is [9, 2, 0] after one failed trial of the first rung."""
    oracle = oracle_of(tmp_path / "journal", MANY)
    search(oracle, num_workers, fails=lambda trial: trial.trial_id in failing)
    rounds = next(bracket["rounds"] for bracket in oracle._brackets if bracket["bracket_num"] == 2)
    completed = [sum(oracle.trials[info["id"]].status == COMPLETED for info in rung) for rung in rounds]
    num_failed = sum(info["id"] in failing for info in rounds[0])
    assert completed == [9 - num_failed, min(3, 9 - num_failed), 1]
    assert state(oracle_of(tmp_path / "journal", MANY)) == state(oracle)


def test_failed_trial_of_full_length_is_replaced_by_the_next_best(tmp_path):
    def fails(trial):
        values = trial.hyperparameters.values
        return values["tuner/bracket"] == 2 and values["tuner/epochs"] == 9 and values["place"] == best

    best = max(
        trial.hyperparameters.values["place"]
        for trial in search(oracle_of(tmp_path / "first", MANY)).trials.values()
        if trial.hyperparameters.values["tuner/bracket"] == 2
    )
    oracle = search(oracle_of(tmp_path / "journal", MANY), fails=fails)
    assert rungs(oracle, 2) == {1: 9, 3: 3, 9: 2}
    assert epochs_of_completed(oracle).count(9) == 1 + 2 + 3


def five_values(hp):
    return {"learning_rate": hp.Float("learning_rate", 0.1, 0.5, step=0.1)}


def test_session_of_five_values_and_three_workers_continues(tmp_path, capsys):
    """What could not be continued before: the second call failed with "does not follow from the lines before"."""
    path = tmp_path / "session"
    values = {"choose": five_values, "base": BASE, "tuner": "hyperband", "workers": 3, "max_epochs": 9}
    records = searched(path, **values).folder.records()
    best = max(records, key=lambda record: (record["objective"], record["epochs"]))
    assert (best["hyperparameters"]["learning_rate"], best["epochs"]) == (pytest.approx(0.3), 9.0)
    journal = path / "journal.jsonl"
    cut_off(journal, 9)
    assert "every combination of the space has been tried" in capsys.readouterr().out
    again = searched(path, **values).folder.records()
    assert sorted(record["epochs"] for record in again) == sorted(record["epochs"] for record in records)
