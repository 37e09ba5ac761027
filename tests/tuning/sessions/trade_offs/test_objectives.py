"""The names of several objectives: which are taken, refused, or as one."""

import pytest

from pipeline.common import errors
from tests.tuning import stub_training
from tuning.sessions.config import SessionConfig
from tuning.sessions.scores import several_objectives
from tuning.sessions.trade_offs import objectives


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("fine,speed", ["'speed'", "both, fine, coarse, petaflop, parameters, step_ms"]),
        ("fine,petaflp", ["'petaflp'", "did you mean 'petaflop'?"]),
        ("fine,", ["''"]),
        ("fine, petaflop", ["' petaflop'"]),
        ("fine,petaflop,fine", ["fine", "twice"]),
        ("petaflop,parameters", ["accuracy", "both, fine, coarse"]),
        ("petaflop", ["accuracy"]),
    ],
)
def test_other_names_are_refused_in_one_line(text, facts):
    with pytest.raises(errors.BadArgumentError, match=r"^objectives=") as caught:
        SessionConfig(objectives=text, tuner="random")
    assert all(fact in str(caught.value) for fact in facts)
    assert "\n" not in str(caught.value)


def test_one_objective_is_what_it_is_without_the_flag():
    assert SessionConfig(objectives="coarse") == SessionConfig(objective="coarse")
    assert SessionConfig(objectives="both").objective_names == ("both",)


def test_first_accuracy_ranks_the_trials():
    config = SessionConfig(objectives="petaflop,coarse,fine", tuner="random")
    assert config.objective == "coarse"
    assert config.objective_names == ("petaflop", "coarse", "fine")


@pytest.mark.parametrize("tuner", ["hyperband", "bayesian"])
def test_tuners_that_choose_by_one_score_are_refused(tuner):
    with pytest.raises(errors.BadArgumentError, match=f"--tuner={tuner}.*expected --tuner=random or grid or optuna"):
        SessionConfig(objectives="fine,petaflop", tuner=tuner)


def test_values_are_those_of_the_report_and_of_the_last_epoch():
    config = SessionConfig(objectives="both,fine,petaflop,parameters,step_ms", tuner="random", fine_weight=0.25)
    outcome = stub_training.outcome(None, num_parameters=1234)
    assert several_objectives(config, outcome, batch_size=60) == pytest.approx(
        {
            "both": 0.25 * 0.5 + 0.75 * 0.7,
            "fine": 0.5,
            "petaflop": 0.25,
            "parameters": 1234,
            "step_ms": 60 / 3000 * 1000,
        }
    )
    assert several_objectives(SessionConfig(), outcome, 60) == {}


def test_cost_is_shown_with_its_unit():
    assert [
        objectives.text("fine", 0.5),
        objectives.text("petaflop", 0.0123),
        objectives.text("parameters", 12345),
    ] == [
        "50.00",
        "0.0123",
        "12,345",
    ]
    assert all("(" in objectives.axis(name) for name in ("fine", "petaflop", "step_ms"))
