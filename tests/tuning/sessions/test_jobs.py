"""What a trial is worth: the objective, from its report."""

import pytest

from pipeline.common import errors
from tests.tuning import stub_training
from tuning.sessions.config import SessionConfig
from tuning.sessions.scores import objective


@pytest.mark.parametrize(
    ("name", "weight", "expected"),
    [("fine", 0.5, 0.4), ("coarse", 0.5, 0.6), ("both", 0.5, 0.5), ("both", 0.75, 0.45)],
)
def test_objective_is_of_the_last_epoch_on_validation(name, weight, expected):
    report = stub_training.outcome(None, accuracy=0.4)["report"]
    config = SessionConfig(objective=name, fine_weight=weight)
    assert objective(config, report) == pytest.approx(expected)
    with pytest.raises(errors.FailedError, match="split=test: expected validation"):
        objective(config, {**report, "split": "test"})


def test_network_that_does_not_answer_what_is_asked_fails(tmp_path):
    report = stub_training.outcome(None, coarse_from_fine_accuracy=None)["report"]
    with pytest.raises(errors.FailedError, match=r"objective=both: .* only the fine accuracy"):
        objective(SessionConfig(), report)
