"""A hyperparameter inside an `if` is searched by every tuner, where the space asks for it and nowhere else."""

import itertools

import pytest
import scipy.optimize
from keras_tuner.engine import hyperparameters
from keras_tuner.engine.trial import Trial

from pipeline.common import errors
from pipeline.data_config import SourceConfig
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import BASE, cut_off, searched
from tuning.sessions import session
from tuning.sessions.config import TUNERS, SessionConfig
from tuning.sessions.journal import Journal
from tuning.sessions.oracles import conditional_space, journaled
from tuning.sessions.oracles.conditional_space import ConditionalSpace
from tuning.sessions.oracles.oracle import RUNNING
from tuning.sessions.search_space import Space


def branches(hp):
    """An `if` on each kind of hyperparameter, one of them inside another, a conditional scope, and a loop.

    The loop is of keras-team/keras-tuner#66 and #272: trials had more layers' hyperparameters than layers.
    """
    optimizer = hp.Choice("optimizer", ["sgd", "adam"])
    if optimizer == "adam":
        hp.Float("adam_rate", 1e-4, 1e-2, sampling="log")
        if hp.Boolean("has_epsilon"):
            hp.Choice("epsilon", [1e-7, 1e-3])
    with hp.conditional_scope("optimizer", ["sgd"]):
        momentum = hp.Float("momentum", 0.0, 1.0, step=0.25)
    if momentum is not None and momentum > 0.4:
        hp.Choice("nesterov", ["off", "on"])
    for layer in range(hp.Int("layers", 0, 2)):
        hp.Choice(f"units_{layer}", [32, 64])


def names_of(values) -> set[str]:
    """The hyperparameters that `branches` asks for at these values, said in another way."""
    names = {"optimizer", "layers", *(f"units_{layer}" for layer in range(values["layers"]))}
    if values["optimizer"] == "adam":
        return names | {"adam_rate", "has_epsilon", *(["epsilon"] if values["has_epsilon"] else [])}
    return names | {"momentum", *(["nesterov"] if values["momentum"] > 0.4 else [])}


def oracle_of(tuner, path, ask=branches, **values):
    config = SessionConfig(**{"tuner": tuner, "max_trials": 40, "max_epochs": 9, **values})
    return journaled.build(config, ConditionalSpace(ask), Journal(path))


def ask_and_end(oracle, num_workers=2, score=lambda values: len(values), after_each=lambda oracle: oracle):
    """All trials of a search with workers that end in turn; `after_each` may restore the oracle from its journal."""
    while True:
        trials = [oracle.create_trial(str(number)) for number in range(num_workers)]
        running = [trial for trial in trials if trial.status == RUNNING]
        if not running:
            return oracle
        trial = running[0]
        values = trial.hyperparameters.values
        oracle.finish(trial, {"status": journaled.COMPLETED, "objective": float(score(values))})
        oracle = after_each(oracle)


@pytest.fixture(autouse=True)
def bayesian_search_of_no_steps(monkeypatch):
    """Of Keras Tuner's and scikit-learn's 70 searches a proposal, which take seconds, only the starts."""

    def start(function, x0, **_):
        value = function(x0)
        return scipy.optimize.OptimizeResult(x=x0, fun=value[0] if isinstance(value, tuple) else value, status=0, nit=0)

    monkeypatch.setattr(scipy.optimize, "minimize", start)


def own(values):
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


@pytest.mark.parametrize("tuner", TUNERS)
def test_every_tuner_searches_each_branch_and_records_what_it_asked_for(tuner, tmp_path):
    oracle = ask_and_end(oracle_of(tuner, tmp_path / "journal", max_trials=30 if tuner == "bayesian" else 100))
    trials = [own(trial.hyperparameters.values) for trial in oracle.trials.values()]
    for values in trials:
        assert values.keys() == names_of(values)
    found = set().union(*trials)
    assert {"adam_rate", "momentum", "nesterov", "layers", "units_0"} <= found
    rates = [values["adam_rate"] for values in trials if "adam_rate" in values]
    assert len(set(rates)) > 1  # not the default alone


def test_grid_is_every_combination_once():
    def ask(hp):
        if hp.Choice("optimizer", ["sgd", "adam"]) == "adam":
            hp.Int("beta", 0, 2)
        if hp.Float("momentum", 0.0, 1.0, step=0.5) > 0.6:
            hp.Boolean("nesterov")

    combinations = list(ConditionalSpace(ask).combinations())
    one = [{"momentum": 0.0}, {"momentum": 0.5}, *({"momentum": 1.0, "nesterov": on} for on in (False, True))]
    optimizers = [{"optimizer": "sgd"}, *({"optimizer": "adam", "beta": beta} for beta in range(3))]
    assert combinations == [{**first, **second} for first, second in itertools.product(optimizers, one)]


@pytest.mark.parametrize("tuner", TUNERS)
def test_search_that_is_cut_off_goes_on_alike(tuner, tmp_path):
    def search(name, after_each):
        trials = ask_and_end(
            oracle_of(tuner, tmp_path / name, max_trials=12, max_epochs=4), after_each=after_each
        ).trials
        return {name: trial.hyperparameters.values for name, trial in trials.items()}

    cut = search("cut", lambda oracle: oracle_of(tuner, tmp_path / "cut", max_trials=12, max_epochs=4))
    assert cut == search("whole", lambda oracle: oracle)


def test_random_search_finds_every_combination_of_a_small_space(tmp_path):
    """Keras Tuner gives up after 20 repeated draws: a space of 27 combinations ended before its trials did.

    keras-team/keras-tuner#35 and #192.
    """

    def ask(hp):
        for name in "abc":
            hp.Choice(name, [1, 2, 3])

    oracle = ask_and_end(oracle_of("random", tmp_path / "journal", ask, max_trials=100))
    assert len({str(trial.hyperparameters.values) for trial in oracle.trials.values()}) == 27 == len(oracle.trials)


def test_bayesian_search_proposes_nothing_twice_and_ends_with_the_space(tmp_path):
    """keras-team/keras-tuner#227 and #608: one configuration is trained again and again."""

    def ask(hp):
        if hp.Choice("kind", ["a", "b"]) == "b":
            hp.Choice("units", [1, 2, 3])

    def score(values):
        return values.get("units", 0)

    path = tmp_path / "journal"
    whole = ask_and_end(oracle_of("bayesian", path, ask), score=score)
    assert sorted(map(str, (trial.hyperparameters.values for trial in whole.trials.values()))) == sorted(
        map(str, ConditionalSpace(ask).combinations())
    )
    again = oracle_of("bayesian", path, ask)
    assert again._seed_state == whole._seed_state


def test_hyperparameter_that_is_not_found_before_the_search_is_searched(tmp_path, monkeypatch):
    monkeypatch.setattr(conditional_space, "MAX_COMBINATIONS", 2)
    monkeypatch.setattr(conditional_space, "NUM_SAMPLES", 0)

    def ask(hp):
        if hp.Int("a", 0, 3) + hp.Int("b", 0, 3) == 6:
            hp.Choice("rare", [1, 2])

    assert [one.name for one in ConditionalSpace(ask).hyperparameters().space] == ["a", "b"]
    for tuner in TUNERS:
        oracle = ask_and_end(oracle_of(tuner, tmp_path / tuner, ask, max_epochs=27))
        values = [trial.hyperparameters.values for trial in oracle.trials.values()]
        assert {one["rare"] for one in values if "rare" in one} == {1, 2}
        assert oracle_of(tuner, tmp_path / tuner, ask, max_epochs=27)._seed_state == oracle._seed_state


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((0.0, 0.5, 0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ((0.0, 0.3, 0.05), [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        ((0.1, 0.75, 0.2), [0.1, 0.3, 0.5, 0.7]),
    ],
)
def test_steps_of_a_float_end_with_its_maximum(bounds, expected, tmp_path):
    """keras-team/keras-tuner#1001: the largest value was in no trial."""

    def ask(hp):
        hp.Float("rate", *bounds)

    trials = ask_and_end(oracle_of("random", tmp_path / "journal", ask)).trials.values()
    assert sorted(trial.hyperparameters.values["rate"] for trial in trials) == pytest.approx(expected)
    (rate,) = ConditionalSpace(ask).hyperparameters().space
    assert [rate.prob_to_value(rate.value_to_prob(value)) for value in expected] == pytest.approx(expected)


def test_steps_of_a_logarithm_are_keras_tuners():
    space = ConditionalSpace(lambda hp: hp.Float("rate", 1e-3, 1.0, step=10, sampling="log"))
    assert [values["rate"] for values in space.combinations()] == pytest.approx([1e-3, 1e-2, 1e-1, 1.0])
    (rate,) = space.hyperparameters().space
    assert [rate.prob_to_value(rate.value_to_prob(value)) for value in (1e-3, 1e-1)] == pytest.approx([1e-3, 1e-1])


def test_values_that_were_tried_before_the_search_are_all_different():
    space = ConditionalSpace(lambda hp: hp.Boolean("nesterov"))
    assert space.explored == [{"nesterov": False}, {"nesterov": True}]


def test_value_that_a_choice_has_twice_is_one_value():
    space = ConditionalSpace(lambda hp: hp.Choice("units", [1, 2, 2, 3]))
    assert [values["units"] for values in itertools.islice(space.combinations(), 5)] == [1, 2, 3]


def test_choice_of_truth_values_is_one():
    """Keras Tuner's is 1 or 0, which no field of truth values takes."""
    values = []
    list(ConditionalSpace(lambda hp: values.append(hp.Choice("batch_norm", [True, False]))).combinations())
    assert {id(value) for value in values} == {id(True), id(False)}
    list(ConditionalSpace(lambda hp: values.append(hp.Choice("batch_norm", [True]))).combinations())
    assert values[-1] is True


def test_scopes_of_one_parent_may_be_nested():
    """keras-team/keras-tuner#738: "not defined", though it was."""

    def ask(hp):
        hp.Int("layers", 0, 2)
        with hp.conditional_scope("layers", [1, 2]):
            hp.Choice("pool", [2, 3])
            for layer in range(2):
                with hp.conditional_scope("layers", list(range(layer + 1, 3))):
                    hp.Choice(f"filters_{layer}", [8, 16])

    combinations = list(ConditionalSpace(ask).combinations())
    assert [len(values) for values in combinations] == [1] + 4 * [3] + 8 * [4]


def two_ranges(hp):
    hp.Choice("units", [1, 2] if hp.Boolean("large") else [3, 4])
    return {"learning_rate": 0.1}


def two_scopes(hp):
    hp.Choice("optimizer", ["sgd", "adam"])
    for optimizer, low in (("sgd", 0.1), ("adam", 1e-4)):
        with hp.conditional_scope("optimizer", [optimizer]):
            hp.Float("rate", low, 1.0)
    return {"learning_rate": 0.1}


@pytest.mark.parametrize(("choose", "name"), [(two_ranges, "units"), (two_scopes, "rate")])
def test_name_with_two_ranges_is_refused(choose, name, tmp_path):
    with pytest.raises(errors.BadArgumentError, match=f"^space=mine: '{name}' has two ranges"):
        searched(tmp_path / "session", choose=choose)
    assert not (tmp_path / "session" / "session.json").exists()


def test_space_that_asks_by_chance_fails_its_trials(tmp_path):
    calls = itertools.count()

    def by_chance(hp):
        rate = hp.Float("rate", 0.1, 0.5)
        return {"learning_rate": rate, "momentum": hp.Choice(f"momentum_{next(calls)}", [0.5, 0.9])}

    with pytest.raises(errors.BadArgumentError, match=r"space=mine: asks for 'momentum_.*' at one call and not at"):
        searched(tmp_path / "session", choose=by_chance)


def optimizers(hp):
    optimizer = hp.Choice("optimizer", ["adam", "sgd"])
    chosen = {"optimizer": optimizer, "learning_rate": hp.Float("rate", 0.1, 0.5, step=0.1)}
    if optimizer == "sgd":
        chosen["momentum"] = hp.Choice("momentum", [0.5, 0.9])
    return chosen


@pytest.mark.parametrize("name", ["momentun", "epochs"])
def test_wrong_field_of_a_branch_is_refused_before_any_work(name, tmp_path):
    def choose(hp):
        rate = hp.Float("rate", 0.1, 0.5)
        return {"learning_rate": rate, **({name: 0.5} if rate > 0.4 else {})}

    with pytest.raises(errors.BadArgumentError, match=rf"^space=mine: .*'{name}'"):
        searched(tmp_path / "session", choose=choose)


def test_chief_and_workers_agree_on_the_hyperparameters_of_a_trial(tmp_path):
    """keras-team/keras-tuner#342: what a trial did not have came back at its default."""
    oracle = oracle_of("grid", tmp_path / "journal")
    trial = oracle.create_trial("worker")
    received = Trial.from_proto(trial.to_proto())
    assert received.hyperparameters.values == trial.hyperparameters.values
    assert received.hyperparameters.values.keys() == names_of(trial.hyperparameters.values)


def test_trials_of_two_optimizers_are_trained_each_with_its_own_hyperparameters(tmp_path):
    found = searched(tmp_path / "session", choose=optimizers, tuner="grid", max_trials=20)
    records = found.folder.records()
    assert len(records) == 5 + 10
    for record in records:
        config, values = record["config"], record["hyperparameters"]
        assert values.keys() == {"optimizer", "rate", *(["momentum"] if config["optimizer"] == "sgd" else [])}
        assert config.get("momentum") == values.get("momentum")
        assert record["unread"] == []


def test_value_of_base_that_one_branch_reads_is_no_error(tmp_path):
    config = SessionConfig(space="mine", tuner="random")
    base = {**BASE, "momentum": 0.7}
    jobs = session.Session(tmp_path, config, Space("mine", optimizers, base), SourceConfig()).jobs
    assert [one.name for one in jobs.hyperparameters().hyperparameters().space] == ["optimizer", "rate", "momentum"]


def test_killed_worker_process_finds_what_it_would_have(tmp_path):
    """Sessions with two workers: the journal of one that ended early leads to the same trials."""
    found = searched(tmp_path / "session", stub_training.train_as_well_as_the_rate, choose=optimizers, workers=2)
    before = [record["hyperparameters"] for record in found.folder.records()]
    cut_off(tmp_path / "session" / "journal.jsonl", 5)
    assert len(found.folder.records()) < len(before)
    again = searched(tmp_path / "session", choose=optimizers)
    assert [record["hyperparameters"] for record in again.folder.records()] == before


def test_hyperparameters_of_a_space_have_no_values():
    space = ConditionalSpace(branches)
    assert space.hyperparameters().values == {}
    assert space.hyperparameters(["no such name"]).space == []


def test_samples_before_the_search_are_of_the_seeds_from_one_on(monkeypatch):
    """They find the hyperparameters of a session, which must be the same in each of its calls."""
    monkeypatch.setattr(conditional_space, "MAX_COMBINATIONS", 1)
    monkeypatch.setattr(conditional_space, "NUM_SAMPLES", 2)
    space = ConditionalSpace(lambda hp: hp.Int("place", 0, 10**6))
    (place,) = space.hyperparameters().space
    assert [values["place"] for values in space.explored] == [0, place.random_sample(1), place.random_sample(2)]


@pytest.mark.parametrize(
    ("hyperparameter", "problem"),
    [
        (hyperparameters.Choice("x", ["on", "o\nff"]), "expected texts of printable characters"),
        (hyperparameters.Float("x", 1e-100, 1.0), ""),
        (hyperparameters.Float("x", 0.5e-100, 1.0), "expected numbers that are 0 or have a size of 1e-100 to"),
        (hyperparameters.Int("x", 0, 2**63), "expected numbers that are 0 or have a size of"),
        (hyperparameters.Int("x", 0, 4, default=5), "default=5, expected 0 to 4"),
        (hyperparameters.Int("x", 0, 4, step=-1), "step=-1, expected above 0"),
        (hyperparameters.Int("x", 0, 4, step=2), ""),
    ],
)
def test_hyperparameters_that_cannot_be_searched_are_named(hyperparameter, problem):
    found = conditional_space._problem_of(hyperparameter)
    assert (problem in found) if problem else found == ""
