"""Searches that are cut off anywhere go on as if they had not been; Keras Tuner's own files play no part in it."""

import json
from concurrent import futures

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import GridSearchOracle, RandomSearchOracle
from threadpoolctl import threadpool_info

from pipeline.common import errors
from tuning.sessions.config import TUNERS, SessionConfig
from tuning.sessions.journal import Journal
from tuning.sessions.oracles import journaled
from tuning.sessions.oracles.conditional_space import ConditionalSpace
from tuning.sessions.oracles.oracle import COMPLETED, FAILED, OBJECTIVE, RUNNING


def ask(hp) -> None:
    hp.Choice("units", [1, 2, 3])
    hp.Float("rate", 0.0, 1.0, step=0.25)


def space() -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    ask(hp)
    return hp


def score(values) -> float:
    return -abs(values["units"] - 2) - (values["rate"] - 0.5) ** 2 + 0.001 * values.get("tuner/epochs", 0)


def begun(tuner, path, max_trials=8, **more):
    config = SessionConfig(tuner=tuner, max_trials=max_trials, max_epochs=4, **more)
    return journaled.build(config, ConditionalSpace(ask), Journal(path))


def end(oracle, trial, status=COMPLETED):
    if status == COMPLETED:
        oracle.update_trial(trial.trial_id, {OBJECTIVE: score(trial.hyperparameters.values)})
    trial.status = status
    oracle.end_trial(trial)


def searched(tuner, path, cut=lambda number: False):
    """The whole search; after each event the oracle is thrown away and made again where `cut` says so."""
    oracle, number = begun(tuner, path), 0
    while True:
        trial = oracle.create_trial("worker")
        if trial.status != RUNNING:
            assert trial.status == "STOPPED"
            break
        if cut(number := number + 1):
            oracle = begun(tuner, path)
            trial = oracle.create_trial("worker")
        end(oracle, trial, FAILED if trial.trial_id.endswith("2") else COMPLETED)
        if cut(number := number + 1):
            oracle = begun(tuner, path)
    return [
        (trial.trial_id, trial.status, trial.hyperparameters.values, trial.score)
        for _, trial in sorted(oracle.trials.items())
    ]


@pytest.mark.parametrize(
    ("tuner", "every"),
    [(tuner, every) for tuner in TUNERS for every in (1, 3) if (tuner, every) != ("bayesian", 3)],  # it takes long
)
def test_search_that_is_cut_off_again_and_again_ends_as_the_undisturbed_one(tuner, every, tmp_path):
    undisturbed = searched(tuner, tmp_path / "whole")
    assert searched(tuner, tmp_path / "cut", cut=lambda number: number % every == 0) == undisturbed
    assert len({trial_id for trial_id, *_ in undisturbed}) == len(undisturbed) >= 8
    assert {status for _, status, *_ in undisturbed} == {COMPLETED, FAILED}
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "cut"}  # nothing of Keras Tuner's own


def test_hyperband_goes_on_with_its_brackets_where_a_clock_ends_the_search(tmp_path):
    once = searched("hyperband", tmp_path / "journal")
    oracle = begun("hyperband", tmp_path / "journal", max_minutes=9.0)  # a finished search that is given more time
    assert [(trial.trial_id, trial.status) for _, trial in sorted(oracle.trials.items())] == [one[:2] for one in once]
    trial = oracle.create_trial("worker")
    assert trial.status == RUNNING
    assert trial.trial_id not in {trial_id for trial_id, *_ in once}
    assert trial.hyperparameters.values["tuner/bracket"] == 1  # the first one again


def test_line_that_was_cut_off_never_happened(tmp_path):
    path = tmp_path / "journal"
    oracle = begun("random", path)
    end(oracle, oracle.create_trial("worker"))
    text = path.read_text()
    path.write_text(text + '{"event": "begin", "wor')
    again = begun("random", path)
    again.create_trial("worker")
    assert path.read_text().startswith(text + '{"event": "begin", "worker"')
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["begin", "end", "begin"]
    del again.trials["1"]
    assert [trial.score for trial in again.trials.values()] == [trial.score for trial in oracle.trials.values()]


def test_trial_of_a_worker_that_is_gone_goes_to_the_next_that_asks(tmp_path):
    oracle = begun("random", tmp_path / "journal")
    lost = oracle.create_trial("one")
    oracle = begun("random", tmp_path / "journal")
    oracle.requeue()
    assert not oracle.tuner_ids  # nobody waits for the end of the search
    assert oracle.create_trial("two").trial_id == lost.trial_id
    assert oracle.create_trial("three").trial_id != lost.trial_id
    again = begun("random", tmp_path / "journal")
    assert {name: trial.trial_id for name, trial in again.ongoing_trials.items()} == {
        name: trial.trial_id for name, trial in oracle.ongoing_trials.items()
    }


@pytest.mark.parametrize("tuner", ["random", "hyperband", "grid"])
def test_questions_that_led_to_nothing_leave_no_mark_on_what_comes(tuner, tmp_path):
    """Two workers until the space is used up: one often asks in vain while the other works."""
    oracle, waiting = begun(tuner, tmp_path / "journal", max_trials=40), []
    for _ in range(200):
        trials = [oracle.create_trial(worker) for worker in ("one", "two")]
        running = {trial.trial_id: trial for trial in trials if trial.status == RUNNING}
        if not running:
            break
        waiting += [trial for trial in trials if trial.status != RUNNING]
        end(oracle, next(iter(running.values())))
    again = begun(tuner, tmp_path / "journal", max_trials=40)
    assert [trial.hyperparameters.values for trial in again.trials.values()] == [
        trial.hyperparameters.values for trial in oracle.trials.values()
    ]


def test_grid_has_a_trial_for_every_worker_that_asks(tmp_path):
    """Keras Tuner's own lets workers wait for one another: of three, one works."""
    stock = GridSearchOracle(keras_tuner.Objective(OBJECTIVE, "max"), hyperparameters=space())
    stock._set_project_dir(tmp_path, "stock")
    stock.verbose = 0

    def asked_after_an_end(oracle) -> list[str]:
        first, *_ = [oracle.create_trial(worker) for worker in ("one", "two", "three")]
        end(oracle, first)
        return [oracle.create_trial(worker).status for worker in ("one", "two", "three")]

    assert asked_after_an_end(stock) == ["IDLE", RUNNING, "IDLE"]
    assert asked_after_an_end(begun("grid", tmp_path / "journal", max_trials=40)) == [RUNNING] * 3


def test_grid_is_the_same_with_many_workers(tmp_path):
    """Each combination once, in the order of one worker."""

    def combinations(num_workers: int) -> list[dict]:
        oracle = begun("grid", tmp_path / f"journal_{num_workers}", max_trials=40)
        while True:
            trials = [oracle.create_trial(str(number)) for number in range(num_workers)]
            running = [trial for trial in trials if trial.status == RUNNING]
            if not running:
                assert oracle.is_exhausted
                return [trial.hyperparameters.values for _, trial in sorted(oracle.trials.items())]
            for trial in reversed(running):
                end(oracle, trial)

    assert len(combinations(1)) == 15
    assert combinations(3) == combinations(1)


def test_trial_that_has_ended_ends_once(tmp_path):
    oracle = begun("random", tmp_path / "journal")
    trial = oracle.create_trial("one")
    oracle.requeue(["one"])
    assert oracle.create_trial("two").trial_id == trial.trial_id
    for _ in range(2):  # by the one that was given up, and by the other
        oracle.finish(trial, {"status": COMPLETED, "objective": 0.5})
    assert not oracle.ongoing_trials
    again = begun("random", tmp_path / "journal")
    assert again.end_order == oracle.end_order == [trial.trial_id]
    assert not again.ongoing_trials


def test_trial_that_ends_while_it_waits_for_another_worker_is_given_to_none(tmp_path):
    """Its worker had timed out, and is slow but alive."""
    oracle = begun("random", tmp_path / "journal")
    ended, waiting = (oracle.create_trial(worker) for worker in ("one", "two"))
    oracle.requeue()
    oracle.finish(ended, {"status": COMPLETED, "objective": 0.5})
    for again in (begun("random", tmp_path / "journal"), oracle):
        assert again._retry_queue == [waiting.trial_id]
    assert oracle.create_trial("three").trial_id == waiting.trial_id
    assert oracle.create_trial("four").trial_id not in (ended.trial_id, waiting.trial_id)
    assert begun("random", tmp_path / "journal").end_order == [ended.trial_id]


def test_events_have_the_seconds_that_the_session_has_taken(tmp_path):
    config = SessionConfig(tuner="random", max_trials=3)
    for worker, spent_s in (("one", {}), ("two", {"spent_s": lambda: 1.26})):
        journaled.build(config, ConditionalSpace(ask), Journal(tmp_path / "journal"), **spent_s).create_trial(worker)
    assert [event["spent_s"] for event in Journal(tmp_path / "journal").events()] == [0.0, 1.3]


def test_requeue_of_a_worker_that_has_nothing_is_nothing(tmp_path):
    oracle = begun("random", tmp_path / "journal")
    oracle.requeue(["gone"])
    assert Journal(tmp_path / "journal").events() == []


def test_oracle_says_whether_it_has_more_and_keeps_the_trial(tmp_path):
    oracle = begun("random", tmp_path / "journal", max_trials=1)
    assert oracle.has_more()
    trial = oracle.create_trial("worker")
    assert trial.trial_id == "0"
    end(oracle, trial)
    assert not oracle.has_more()
    assert len(begun("random", tmp_path / "journal", max_trials=1).trials) == 1


def test_many_failures_in_a_row_leave_the_oracle_usable(tmp_path):
    """Keras Tuner raises at three, its lock held for ever."""
    oracle = begun("random", tmp_path / "journal")
    for _ in range(5):
        end(oracle, oracle.create_trial("worker"), FAILED)
    trial = oracle.create_trial("worker")
    end(oracle, trial)
    assert oracle.get_best_trials(1)[0].trial_id == trial.trial_id


def test_oracle_is_usable_after_it_raised(tmp_path):
    """Keras Tuner's own holds its lock then, and a chief hangs for ever."""
    oracle = begun("random", tmp_path / "journal")
    trial = oracle.create_trial("worker")
    with pytest.raises(KeyError):
        oracle.end_trial(Trial(space(), "no such trial", COMPLETED))
    with futures.ThreadPoolExecutor(1) as other:
        other.submit(end, oracle, trial).result(timeout=600)
    assert oracle.trials[trial.trial_id].status == COMPLETED


def test_journal_of_another_session_is_refused(tmp_path):
    path = tmp_path / "journal"
    oracle = begun("random", path)
    oracle.create_trial("worker")
    event = json.loads(path.read_text())
    event["values"]["units"] = event["values"]["units"] % 3 + 1
    path.write_text(json.dumps(event) + "\n")
    with pytest.raises(errors.FailedError, match=r"^session_dir=.*: journal: line 1 does not follow"):
        begun("random", path)


def test_journal_without_one_of_its_lines_is_refused(tmp_path):
    path = tmp_path / "journal"
    event = {"event": "end", "trial": "0", "status": "COMPLETED", "objective": 0.5, "spent_s": 1.0}
    path.write_text(json.dumps(event) + "\n")
    with pytest.raises(errors.FailedError, match=r"^session_dir=.*: journal: line 1 does not follow .*one is missing"):
        begun("random", path)


def test_damaged_journal_is_one_clear_line(tmp_path):
    path = tmp_path / "journal"
    path.write_text("no JSON\n")
    with pytest.raises(errors.FailedError, match=r"^session_dir=.*: journal is damaged \(line 1: "):
        begun("random", path)


def test_keras_tuners_own_files_do_not_survive_a_kill(tmp_path):
    """What is mended here: its JSON is written in place, and half a file ends the session."""

    def stock():
        oracle = RandomSearchOracle(keras_tuner.Objective("score", "max"), 3, seed=1, hyperparameters=space())
        oracle._set_project_dir(tmp_path, "stock")
        oracle.verbose = 0
        return oracle

    stock().create_trial("tuner0")
    file = tmp_path / "stock" / "oracle.json"
    file.write_text(file.read_text()[:100])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        stock().reload()


def test_oracle_prints_nothing(tmp_path, capsys):
    oracle = begun("random", tmp_path / "journal")
    end(oracle, oracle.create_trial("worker"))
    assert not capsys.readouterr().out


def test_proposals_of_a_seed_are_those_of_earlier_versions(tmp_path):
    oracle = begun("random", tmp_path / "journal")
    trials = [oracle.create_trial(str(number)) for number in range(3)]
    assert [tuple(trial.hyperparameters.values.values()) for trial in trials] == [(1, 1.0), (1, 0.25), (2, 0.75)]
    assert not oracle.is_exhausted


@pytest.mark.parametrize(("max_trials", "expected"), [(6, 3), (9, 3), (12, 4), (15, 5), (18, 6), (40, 6)])
def test_third_of_the_trials_of_a_bayesian_search_is_random(max_trials, expected, tmp_path):
    """At least 3, and at most 3 for each hyperparameter."""
    oracle = begun("bayesian", tmp_path / "journal", max_trials=max_trials)
    assert (oracle.num_initial_points, oracle.max_trials) == (expected, max_trials)


def test_bayesian_search_proposes_the_values_at_a_point(tmp_path):
    oracle = begun("bayesian", tmp_path / "journal")
    assert oracle._vector_to_values([0.99, 0.0]) == {"units": 3, "rate": 0.0}
    assert oracle._vector_to_values([0.0, 0.99]) == {"units": 1, "rate": 1.0}


def test_bayesian_search_takes_one_thread(tmp_path, monkeypatch):
    oracle, threads = begun("bayesian", tmp_path / "journal"), []

    def propose(*_) -> dict:
        threads.extend(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return {"status": "STOPPED", "values": {"units": 1, "rate": 0.5}}

    for _ in range(oracle.num_initial_points):
        end(oracle, oracle.create_trial("worker"))
    monkeypatch.setattr(keras_tuner.oracles.BayesianOptimizationOracle, "populate_space", propose)
    oracle.populate_space("trial")
    assert set(threads) == {1}


def test_seeds_in_place_of_a_duplicate_are_far_from_those_of_other_trials(tmp_path, monkeypatch):
    oracle = begun("bayesian", tmp_path / "journal")
    trials = []
    while len(trials) < oracle.num_initial_points:
        trials.append(oracle.create_trial("worker"))
        end(oracle, trials[-1])
    duplicate = {"status": RUNNING, "values": trials[0].hyperparameters.values}
    monkeypatch.setattr(keras_tuner.oracles.BayesianOptimizationOracle, "populate_space", lambda *_: duplicate)
    seeds = []
    monkeypatch.setattr(oracle, "_random_values", lambda: seeds.append(oracle._seed_state))
    before, oracle.gpr.n_features_in_ = oracle._seed_state, 2
    model = oracle.gpr
    assert oracle.populate_space("trial") == {"status": "STOPPED"}
    assert oracle.gpr is model  # fitted with as many hyperparameters as there are
    assert seeds == [oracle.seed + 1_000_000 * len(trials)]
    assert oracle._seed_state == before
