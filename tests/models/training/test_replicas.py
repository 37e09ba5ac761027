"""N replicas train what one trains: the same losses and weights up to rounding."""

import json
import subprocess
import sys

import numpy as np
import pytest

from models.config import from_preset
from models.runtime import replicas
from models.training import loop
from models.training.evaluation import Evaluator
from models.training.state import TrainState
from pipeline.batches import OpenedData
from pipeline.common import errors
from tests.conftest import ROOT
from tests.models.training.linear_runs import linear
from tests.models.training.replicated_runs import CASES, saved, trained

FEW = ("mixing", "sam", "regularized", "disk", "unsynchronized", "half")


@pytest.fixture(scope="module")
def of_one(tiny_data_dir):
    """A function: the arrays of a case that one process trained without a strategy."""
    made: dict[str, dict[str, np.ndarray]] = {}

    def arrays(name: str) -> dict[str, np.ndarray]:
        if name not in made:
            made[name] = saved({name: trained(name, tiny_data_dir)})
        return made[name]

    return arrays


@pytest.fixture(scope="module")
def of_replicas(tiny_data_dir, tmp_path_factory):
    """A function: the arrays of cases that so many replicas trained, in a process of their own."""

    def arrays(count: int, *names: str) -> dict[str, np.ndarray]:
        out = tmp_path_factory.mktemp("replicas") / "arrays.npz"
        module = "tests.models.training.replicated_runs"
        command = [sys.executable, "-m", module, str(count), tiny_data_dir, str(out), *names]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return dict(np.load(out))

    return arrays


@pytest.fixture(scope="module")
def of_two(of_replicas):
    return of_replicas(2, "quick", *FEW)


def assert_close(
    one: dict[str, np.ndarray],
    several: dict[str, np.ndarray],
    name: str,
    tolerance: float = 1e-5,
    distance: float = 1e-3,
):
    losses, weights = (one[f"{name}/{key}"] for key in ("losses", "weights"))
    np.testing.assert_allclose(several[f"{name}/losses"], losses, rtol=tolerance)
    apart = np.linalg.norm(several[f"{name}/weights"] - weights) / np.linalg.norm(weights)
    assert apart < distance
    loss, accuracy, *_ = one[f"{name}/report"]
    validation_loss, validation_accuracy, examples, _, steps = several[f"{name}/report"]
    assert (examples, steps) == (500, CASES[name]["max_steps"])
    assert validation_loss == pytest.approx(loss, rel=1e-3)
    assert abs(validation_accuracy - accuracy) < 0.01


@pytest.mark.parametrize("name", ["quick", "mixing", "sam", "regularized", "disk"])
def test_two_replicas_train_what_one_trains(of_one, of_two, name):
    assert_close(of_one(name), of_two, name)
    assert of_two[f"{name}/report"][3] == 2


def test_two_replicas_in_half_precision_stay_near(of_one, of_two):
    assert_close(of_one("half"), of_two, "half", tolerance=2e-3)


def test_statistics_of_each_replica_train_another_model_of_the_same_kind(of_one, of_two):
    one, two = (np.array(arrays["unsynchronized/losses"]) for arrays in (of_one("unsynchronized"), of_two))
    assert (one != two).any()
    np.testing.assert_allclose(two, one, rtol=0.05)


def test_four_replicas_train_what_one_trains(of_one, of_replicas):
    assert_close(of_one("quick"), of_replicas(4, "quick"), "quick")


def test_one_replica_under_a_strategy_trains_the_same_to_the_last_bit(of_one, of_replicas):
    one, replicated = of_one("quick"), of_replicas(1, "quick")
    for name, values in one.items():
        np.testing.assert_array_equal(replicated[name], values)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_a_hundred_steps_of_replicas_stay_near(of_one, of_replicas, count):
    # On the few images of this data set, roundings grow until the weights are 4e-3 apart.
    assert_close(of_one("quick_long"), of_replicas(count, "quick_long"), "quick_long", tolerance=1e-3, distance=6e-3)


class Second(replicas.Replicas):
    """The second of two workers, without the other one."""

    def __init__(self, values: float = 0.0):
        super().__init__()
        self.values, self.num_workers, self.worker = values, 2, 1

    def text_of_chief(self, text):
        return text

    def of_chief(self, values):
        return [np.full_like(value, self.values) for value in values]


def test_first_weights_are_the_chief_s(data):
    opened = OpenedData(data)
    of_chief = TrainState(opened, linear(epochs=1.0), 10, None, Second(values=3.0))
    assert {*np.concatenate([value.ravel() for value in of_chief.model.get_weights()])} == {3.0}


def test_callback_of_one_worker_is_known_to_all(data, monkeypatch):
    calls = []
    evaluated = Evaluator.__call__
    monkeypatch.setattr(Evaluator, "__call__", lambda *args, **options: calls.append(1) or evaluated(*args, **options))
    monkeypatch.setattr(replicas.Replicas, "any", lambda self, flag: True)  # which ends the run after an epoch, too
    loop.train(data, linear(epochs=2.0), verbose=0)
    assert len(calls) == 2  # of the epoch, and of the weights that the other worker's callback may have put back


def test_batch_that_replicas_cannot_divide_is_refused():
    three = replicas.Replicas()
    three.count = 3
    with pytest.raises(errors.BadArgumentError, match=r"^batch_size=256: .* 3\b"):
        three.rows(256)


def test_synchronized_statistics_need_replicas():
    with pytest.raises(errors.BadArgumentError, match=r"sync_batch_norm=True.*--distribute"):
        from_preset("quick", sync_batch_norm=True)


def test_overflow_on_one_replica_skips_the_step_on_all(tiny_data_dir):
    """keras#18666; Keras asks the first replica alone, whose gradients are finite."""
    states = []
    for arguments in ((tiny_data_dir,), ()):
        command = [sys.executable, "-m", "tests.models.training.overflowing_replicas", *arguments]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        states.append(json.loads(done.stdout.splitlines()[-1]))
    here, with_keras = states
    assert here == {"scale": 2.0**14, "updates": 2, "is_finite": True}
    assert with_keras == {"scale": 2.0**15, "updates": 3, "is_finite": False}
