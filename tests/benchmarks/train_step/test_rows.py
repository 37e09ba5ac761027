"""Rows of training steps, their arithmetic, and the cases of a recipe; nothing here is timed."""

import contextlib
import io
import itertools
from collections.abc import Iterator

import keras
import numpy as np
import pytest

from benchmarks.harness import training_steps
from benchmarks.harness.convolution_ceiling import Ceiling, Shape
from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.harness.timing import Case, Timing
from benchmarks.train_step import cases, torch_peer
from benchmarks.train_step import rows as step_rows
from benchmarks.train_step.cases import Effort, Recipe
from models import classifier
from models.config.training import TrainConfig
from models.layers.batch_norm import FusedBatchNormalization
from models.reporting import flops
from pipeline.batches import OpenedData
from pipeline.common import config, errors
from pipeline.data_config import DataConfig
from tests.descriptions import CIFAR100

CEILINGS = {
    "float32": Ceiling(Timing(Labels("ours/ceiling/float32", "ceiling"), 1.0, (100.0, 200.0)), Shape(1, 1, 1, 1))
}
SMALL = {"architecture": "resnet9", "batch_size": 8, "augmentation": "none", "learning_rate": 0.5}
PRECISION = {"precision": "float32"}
X = {"recipe": "x", **PRECISION, "batch_size": 10}
NAMES = [
    "ours/small/float32",
    "ours/small/float32/cache_device",
    "peer/keras_batch_normalization/small/float32",
    "ours/small/float32/one_batch",
]


@pytest.fixture(scope="module")
def source(tiny_data_dir) -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training_steps.RECIPES, "small", SMALL)
        yield {"dataset": "shapes100_tiny", "data_dir": tiny_data_dir}


@pytest.fixture(scope="module")
def small(source) -> Recipe:
    return Recipe("small", source, ["float32"], Effort(2, 1, ("eager", "compiled"), ("float32",)))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return classifier.build(config.build(TrainConfig, SMALL, PRECISION), CIFAR100)


@pytest.fixture(scope="module")
def counts(model) -> tuple[int, int]:
    return sum(int(np.prod(value.shape)) for value in model.trainable_variables), flops.multiply_adds(model, 32)


class FakePeer:
    """In the place of PyTorch: says what the test wants it to."""

    def __init__(self, num_parameters: int, multiply_adds: int, failing: tuple[str, ...] = ()) -> None:
        self.made = torch_peer.Made(num_parameters, multiply_adds, 7.0)
        self.failing, self.num_cleared, self.configs = failing, 0, []

    def make(self, name, train, description, batch, mode) -> torch_peer.Made:
        assert {key: (value.shape, value.dtype) for key, value in batch.items() if key in ("image", "fine")} == {
            "image": ((8, 32, 32, 3), np.uint8),
            "fine": ((8,), np.int32),
        }
        self.configs.append(train)
        if mode in self.failing:
            raise errors.FailedError(f"{name}: no compiler")
        return self.made

    def case(self, labels, num_steps) -> Case:
        return Case(labels, lambda: None, num_steps * labels.batch_size)

    def clear(self) -> None:
        self.num_cleared += 1


def test_recipes_are_the_presets_and_the_networks_that_people_compare_with():
    assert {"tiny", "fast", "quick", "resnet18", "wrn_16_4"} <= training_steps.RECIPES.keys()
    resnet = config.build(TrainConfig, training_steps.recipe("resnet18"))
    assert (resnet.architecture, resnet.optimizer, resnet.momentum) == ("resnet18", "sgd", 0.9)
    wide = config.build(TrainConfig, training_steps.recipe("wrn_16_4"))
    assert (wide.architecture, wide.depth, wide.widen_factor) == ("wide_resnet", 16, 4)
    assert training_steps.recipe("wrn_16_4")["batch_size"] == 128


def test_dearer_recipes_make_fewer_steps_and_at_least_one():
    effort = Effort(3, 20, (), ())
    quick = round(cases.QUICK_STEP_MULTIPLY_ADDS / 256)
    assert effort.num_steps_of(quick, 256) == 20
    assert effort.num_steps_of(quick, 64) == 20  # never more
    assert effort.num_steps_of(2 * quick, 512) == 5
    assert effort.num_steps_of(1000 * quick, 256) == 1


def test_quick_is_what_the_steps_are_counted_in(counts):
    _, multiply_adds = counts  # its network is SMALL's
    assert multiply_adds * 256 == pytest.approx(cases.QUICK_STEP_MULTIPLY_ADDS, rel=0.01)


def test_rate_is_six_times_the_multiply_adds():
    assert step_rows.rate(500.0, 10**9, ceiling_tflops=4.0) == (3.0, 0.75)


def test_waiting_is_taken_within_rounds_and_never_less_than_nothing():
    fed = Timing(Labels("a", "step"), 1.0, (90.0, 50.0, 60.0))
    unfed = Timing(Labels("b", "one_batch"), 1.0, (100.0, 100.0, 50.0))
    assert step_rows.waiting_shares(fed, unfed) == pytest.approx([10.0, 50.0, 0.0])


def test_best_form_of_the_peer_is_its_row_and_the_other_one_stands_by():
    ours = Timing(Labels("ours/x/float32/bare", "bare", batch_size=10), 1.0, (20.0, 60.0, 40.0))
    eager, compiled = (
        Timing(Labels.of(cases.PEER, "bare", peer=f"pytorch_{mode}", mode=mode, **X), 0.1, rates)
        for mode, rates in {"eager": (10.0, 10.0, 10.0), "compiled": (10.0, 20.0, 20.0)}.items()
    )
    first_s = {eager.name: 2.0, compiled.name: 30.0}
    mine, best, other = step_rows.bare_rows([ours, eager, compiled], first_s)
    assert (mine.name, mine.ratio) == (ours.name, None)
    assert (best.name, best.peer, best.mode) == ("peer/pytorch/x/float32", "pytorch", "compiled")
    assert (best.ratio, best.ratio_of, best.first_call_s) == (2.0, [ours.name, best.name], 30.0)
    assert (other.name, other.mode, other.first_call_s) == ("peer/pytorch_eager/x/float32", "eager", 2.0)
    assert (other.ratio, other.steps_per_s, other.batch_size) == (4.0, 1.0, 10)


@pytest.fixture(scope="module")
def measured(small, counts) -> tuple[dict[str, Row], FakePeer, str]:
    """Rows by name, the peer that was beside them, and what was printed."""
    peer, printed = FakePeer(*counts, failing=("compiled",)), io.StringIO()
    with contextlib.redirect_stdout(printed):
        rows = step_rows.measure(small, CEILINGS, peer)
    return {row.name: row for row in rows}, peer, printed.getvalue()


def test_rows_of_ours(measured, counts):
    rows, *_ = measured
    assert list(rows)[:5] == [*NAMES, "ours/small/float32/waits_for_data"]
    assert rows[NAMES[1]].ratio_of == [NAMES[1], NAMES[0]]
    assert rows[NAMES[2]].ratio_of == [NAMES[0], NAMES[2]]
    assert 0.0 <= rows["ours/small/float32/waits_for_data"].median < 100.0
    for name in NAMES:
        row = rows[name]
        assert (row.unit, row.batch_size, row.repeats) == ("images/s", 8, 2)
        assert row.steps_per_s == pytest.approx(row.median / 8, abs=0.01)
        tflops = 6 * counts[1] * row.median / 1e12
        assert row.tflops == pytest.approx(tflops, abs=1e-4)
        assert row.ceiling_share == pytest.approx(tflops / 0.2, abs=1e-3)  # of the best round


def test_rows_beside_a_peer(measured):
    rows, peer, printed = measured
    assert list(rows)[5:] == ["ours/small/float32/bare", "peer/pytorch/small/float32"]
    row = rows["peer/pytorch/small/float32"]
    assert (row.mode, row.first_call_s, row.repeats) == ("eager", 7.0, 2)
    assert row.ratio_of == ["ours/small/float32/bare", "peer/pytorch/small/float32"]
    assert "left out: peer/pytorch_compiled/small/float32: no compiler\n" in printed
    assert peer.num_cleared == 1
    assert {(train.schedule, train.optimizer, train.learning_rate) for train in peer.configs} == {
        ("constant", "sgd", 1e-3)
    }


@pytest.mark.parametrize(
    ("more_parameters", "more_multiply_adds", "what"), [(1, 0, "trained parameters"), (0, 1, "multiply-adds")]
)
def test_peer_of_another_network_ends_the_benchmark(small, counts, more_parameters, more_multiply_adds, what):
    parameters, multiply_adds = counts
    peer = FakePeer(parameters + more_parameters, multiply_adds + more_multiply_adds)
    with pytest.raises(errors.FailedError, match=rf"peer/pytorch_eager/small/float32 has \d+ {what}, ours has"):
        step_rows.measure(small, CEILINGS, peer)


def test_peer_that_cannot_even_be_eager_ends_the_benchmark(small, counts):
    with pytest.raises(errors.FailedError, match="no compiler"):
        step_rows.measure(small, CEILINGS, FakePeer(*counts, failing=("eager",)))


def test_case_trains_on_the_next_batches_every_round(source):
    data = DataConfig(**source, num_validation=0, batch_size=8, augmentation="none")
    batch = next(iter(OpenedData(data).train(seed=0)))
    linear = config.build(TrainConfig, training_steps.recipe("linear"), PRECISION)
    steps = training_steps.Steps(data, linear, num_steps=3)
    taken = []

    def watched():
        for repeated in itertools.repeat(batch):
            taken.append(repeated)
            yield repeated

    case = steps.case(Labels("x", "step"), watched())
    case.run()
    case.run()
    assert (case.num_units, len(taken)) == (24, 6)
    assert float(steps._step.metric_totals[0]) == 48.0  # images


def test_stock_network_has_as_many_weights_and_no_fused_layer(model):
    stock = cases.with_keras_normalisation(model)
    kinds = [type(layer) for layer in stock.layers]
    assert FusedBatchNormalization not in kinds
    assert kinds.count(keras.layers.BatchNormalization) == 6
    assert len(stock.trainable_variables) == len(model.trainable_variables)


def test_lines_are_shares_and_waits():
    figures = {"unit": "", "median": 1.25, "min": 1.0, "max": 2.0, "repeats": 3}
    rows = [
        Row(name="ours/ceiling/float32", kind="ceiling", **figures),
        Row(name="ours/x/float32", kind="step", tflops=0.1234, ceiling_share=0.5, **figures),
        Row(name="ours/x/float32/waits_for_data", kind="waits_for_data", **figures),
    ]
    assert step_rows.lines(rows) == [
        "ours/x/float32: 0.123 TFLOP/s, 50% of the convolution ceiling",
        "ours/x/float32/waits_for_data: the device waits for data 1.2 % of the time",
    ]
