"""The benchmark of training steps: its rows, its arithmetic, its peer in PyTorch; nothing here is timed."""

import contextlib
import importlib.util
import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.harness import training_steps
from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.harness.timing import Case, Timing
from benchmarks.train_step import cases, torch_peer
from benchmarks.train_step import rows as step_rows
from benchmarks.train_step.cases import Effort, Recipe
from benchmarks.train_step.convolution_ceiling import Ceiling, Shape
from models import classifier, metrics
from models.architectures.fields import ACTIVATIONS
from models.config.training import TrainConfig
from models.layers import whitening
from models.layers.batch_norm import FusedBatchNormalization
from models.optimizers.build import build_optimizer
from models.reporting import flops
from pipeline.batches import OpenedData
from pipeline.common import config, errors
from pipeline.data_config import DataConfig
from tests.benchmarks.train_step import torch_twins
from tests.conftest import ROOT

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
CEILINGS = {
    "float32": Ceiling(Timing(Labels("ours/ceiling/float32", "ceiling"), 1.0, (100.0, 200.0)), Shape(1, 1, 1, 1))
}
SMALL = {"architecture": "resnet9", "batch_size": 8, "augmentation": "none", "learning_rate": 0.5}
FAST = {"architecture": "speedrun", "widths": "4,8,8", "bottlenecks": "4,8,8"}
PRECISION = {"precision": "float32"}
X = {"recipe": "x", **PRECISION, "batch_size": 10}
NAMES = ["ours/small/float32", "peer/keras_batch_normalization/small/float32", "ours/small/float32/one_batch"]


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
    return classifier.build(config.build(TrainConfig, SMALL, PRECISION))


@pytest.fixture(scope="module")
def counts(model) -> tuple[int, int]:
    return sum(int(np.prod(value.shape)) for value in model.trainable_variables), flops.multiply_adds(model)


class FakePeer:
    """In the place of PyTorch: says what the test wants it to."""

    def __init__(self, num_parameters: int, multiply_adds: int, failing: tuple[str, ...] = ()) -> None:
        self.made = torch_peer.Made(num_parameters, multiply_adds, 7.0)
        self.failing, self.num_cleared, self.configs = failing, 0, []

    def make(self, name, train, batch, mode) -> torch_peer.Made:
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


def test_other_counts_are_refused():
    torch_peer.check_equal("peer/pytorch_eager/x", "multiply-adds", 5, 5)
    with pytest.raises(errors.FailedError, match=r"peer/pytorch_eager/x has 6 multiply-adds, ours has 5: expected"):
        torch_peer.check_equal("peer/pytorch_eager/x", "multiply-adds", 5, 6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"architecture": "speedrun", "optimizer": "muon"}, True),
        ({"architecture": "linear"}, False),
        ({"optimizer": "adam"}, False),
        ({"precision": "mixed_float16"}, False),
        ({"pixel_scaling": "unit"}, False),
        ({"sam_radius": 0.1}, False),
        ({"ema_decay": 0.9}, False),
        ({"lookahead_steps": 5}, False),
    ],
)
def test_what_has_a_twin(values, expected):
    assert torch_peer.has_twin(TrainConfig(**{**PRECISION, **values})) is expected


@pytest.fixture(scope="module")
def measured(small, counts) -> tuple[dict[str, Row], FakePeer, str]:
    """Rows by name, the peer that was beside them, and what was printed."""
    peer, printed = FakePeer(*counts, failing=("compiled",)), io.StringIO()
    with contextlib.redirect_stdout(printed):
        rows = step_rows.measure(small, CEILINGS, peer)
    return {row.name: row for row in rows}, peer, printed.getvalue()


def test_rows_of_ours(measured, counts):
    rows, *_ = measured
    assert list(rows)[:4] == [*NAMES, "ours/small/float32/waits_for_data"]
    assert rows[NAMES[1]].ratio_of == NAMES[:2]
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
    assert list(rows)[4:] == ["ours/small/float32/bare", "peer/pytorch/small/float32"]
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


def test_peer_that_compiles_too_long_or_dies_leaves_the_others_alone(monkeypatch):
    monkeypatch.setattr(torch_peer, "_make", torch_twins.made_unless_compiled)
    monkeypatch.setattr(torch_peer, "_run", torch_twins.ran)
    train = TrainConfig(**PRECISION)
    with torch_peer.Peer(compile_s=0.5) as peer:
        peer.make("before", train, {}, "eager")
        with pytest.raises(errors.FailedError, match=r"^late: compiling took more than 0.5 s; set --compile_s"):
            peer.make("late", train, {}, "compiled")
        assert peer.case(Labels("before", "bare", batch_size=8), 3).run() == (["before"], 3)
        with pytest.raises(errors.FailedError, match=r"^dead: PyTorch's process died \(.*\); --nopeers leaves it out"):
            peer.make("dead", train, {}, "dies")
        assert peer.case(Labels("before", "bare", batch_size=8), 3).run() == (["before"], 3)


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


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError('no torch\\nhere')", "no torch here"),
        ("import os\nos._exit(3)", "exit code 3"),
    ],
)
def test_torch_that_cannot_be_loaded_is_one_line(tmp_path, monkeypatch, capsys, code, reason):
    (tmp_path / "torch.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))  # the other process searches where this one does
    with torch_peer.Peer() as peer:
        assert not peer.is_available(uses_gpu=False)
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert re.match(rf"peer/pytorch is left out: .*{reason}.*pip install -e '.\[peers\]'", told)


def call(*flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.train_step", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--recipes=quick,wrn_16_5", "recipes='wrn_16_5': expected some of .*did you mean 'wrn_16_4'"),
        ("--recipes=quick,quick", "recipes=quick,quick: expected at least one, and each one once"),
        ("--precisions=bfloat16", "precision='bfloat16': expected one of auto"),
    ],
)
def test_binary_refuses_in_one_line(flag, message):
    done = call(flag)
    assert done.returncode == 2
    assert re.match(f"error: {message}", done.stderr)
    assert done.stderr.count("\n") == 1


def test_binary_writes_the_rows(tiny_data_dir, tmp_path):
    source = ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    done = call("--quick", "--nopeers", "--recipes=linear", "--precisions=float32", "--repeats=1", *source)
    assert done.returncode == 0, done.stderr
    assert "ours/linear/float32/waits_for_data: the device waits for data" in done.stdout
    document = json.loads((tmp_path / "out.json").read_text())
    assert [row["name"] for row in document["rows"]] == [
        "ours/ceiling/float32",
        "ours/linear/float32",
        "ours/linear/float32/one_batch",
        "ours/linear/float32/waits_for_data",
    ]
    assert document["rows"][0]["unit"] == "GFLOP/s"


# With PyTorch. In its own process, as in the benchmark: what it loads may not share one with TensorFlow.


@pytest.fixture(scope="module")
def peer():
    with torch_peer.Peer() as started:
        yield started


def random_batch(size: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(2)
    return {
        "image": generator.integers(0, 256, (6, size, size, 3), np.uint8),
        "fine": generator.integers(0, 100, 6).astype(np.int32),
        "coarse": generator.integers(0, 20, 6).astype(np.int32),
    }


@needs_torch
def test_other_process_does_without_tensorflow(peer):
    assert peer.call(torch_twins.loads_tensorflow) is False


@needs_torch
@pytest.mark.parametrize("name", ["tiny", "fast", "quick", "resnet18", "wrn_16_4"])
def test_twins_have_our_parameters_and_multiply_adds(peer, name):
    train = config.build(TrainConfig, training_steps.recipe(name), {"precision": "mixed_bfloat16"})
    model = classifier.build(train)
    made = peer.make(name, train, random_batch(32), "eager")
    assert made.num_parameters == sum(int(np.prod(value.shape)) for value in model.trainable_variables)
    assert made.multiply_adds == flops.multiply_adds(model)


def in_order_of_creation(model: keras.Model, kind: type) -> list[keras.layers.Layer]:
    found = [layer for layer in model.layers if type(layer) is kind]
    return sorted(found, key=lambda layer: int((re.findall(r"\d+$", layer.name) or ["0"])[0]))


def weights_of(model: keras.Model) -> dict[str, list[np.ndarray]]:
    from models.layers.convolution import Convolution

    stem = [model.get_layer(whitening.LAYER)] if whitening.has_stem(model) else []
    norms = in_order_of_creation(model, FusedBatchNormalization)
    heads = [model.get_layer(f"{name}_logits") for name in ("fine", "coarse")]
    return {
        "kernels": [layer.kernel.numpy() for layer in [*stem, *in_order_of_creation(model, Convolution)]],
        "heads": [layer.kernel.numpy() for layer in heads],
        "biases": [layer.bias.numpy() for layer in heads],
        "scales": [layer.gamma.numpy() for layer in norms],
        "offsets": [layer.beta.numpy() for layer in norms],
        "means": [layer.moving_mean.numpy() for layer in norms],
        "variances": [layer.moving_variance.numpy() for layer in norms],
    }


@needs_torch
@pytest.mark.parametrize(
    # Where strides are of 2 pixels both networks begin alike at odd sizes only. All sizes are small: of the 320,000
    # activations of `residual` at 32 pixels, four batches in ten have one so near to ReLU's kink that rounding decides
    # on which side it falls, and that turns gradients by up to 3 %. Here none is nearer than 2e-5, of a deviation of 1.
    ("values", "size", "tolerance"),
    [
        ({"architecture": "resnet9"}, 16, 1e-4),
        ({**FAST, "activation": "silu"}, 16, 1e-4),
        ({**FAST, "optimizer": "muon"}, 16, 0.05),  # its products are bfloat16
        ({"architecture": "wide_resnet", "depth": 10, "widen_factor": 1}, 17, 1e-4),
        ({"architecture": "resnet18"}, 9, 1e-3),
    ],
)
def test_twins_train_as_ours_do(peer, values, size, tolerance):
    train = TrainConfig(precision="float32", schedule="constant", learning_rate=0.02, weight_decay=0.1, **values)
    model, batch = classifier.build(train), random_batch(size)
    optimizer = build_optimizer(train, model.trainable_variables)
    before = weights_of(model)
    theirs, their_weights = peer.call(torch_twins.trained, train, batch, before, 2)
    for their_loss in theirs:
        with tf.GradientTape() as tape:
            logits = model(batch["image"], training=True)
            loss = tf.reduce_mean(metrics.objective(train, logits, batch))
        optimizer.apply(tape.gradient(loss, [variable.value for variable in model.trainable_variables]))
        assert their_loss == pytest.approx(float(loss), rel=tolerance)
    for kind, after in weights_of(model).items():
        for start, ours, their in zip(before[kind], after, their_weights[kind], strict=True):
            moved = np.linalg.norm(ours - start)
            assert np.linalg.norm(ours - their) <= 10 * tolerance * moved + 1e-6, kind


@needs_torch
def test_activations_are_those_of_keras(peer):
    values = np.linspace(-3.0, 3.0, 25, dtype=np.float32)
    theirs = peer.call(torch_twins.activated, values)
    assert theirs.keys() == set(ACTIVATIONS)
    for name, activated in theirs.items():
        np.testing.assert_allclose(activated, keras.activations.get(name)(values), atol=1e-6, err_msg=name)


@needs_torch
def test_failure_in_the_other_process_is_one_line(peer):
    with pytest.raises(errors.FailedError, match=r"^x: \w+: ") as caught:
        peer.make("x", TrainConfig(precision="float32"), {**random_batch(32), "fine": np.full(6, 100)}, "eager")
    assert "\n" not in str(caught.value)


@needs_torch
def test_gpu_on_one_side_alone_is_no_comparison(peer, capsys):
    assert peer.is_available(uses_gpu=False)
    assert not peer.is_available(uses_gpu=True)
    assert capsys.readouterr().out.startswith("peer/pytorch is left out: one of TensorFlow and PyTorch")
