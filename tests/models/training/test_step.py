"""One step: what it updates, by how much, and what an overflow must leave alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import classifier, metrics
from models.config.training import TrainConfig
from models.optimizers import schedules
from models.optimizers.build import build_optimizer
from models.training.step import TrainStep
from pipeline.data_config import DataConfig
from tests.descriptions import CIFAR100
from tests.models.training.single_steps import losses_of_steps, prepared

SMALL = {"architecture": "speedrun", "widths": "8,8,16", "bottlenecks": "8,8,16"}
NORMALISED = {"architecture": "original_cnn", "blocks": 2, "first_filters": 4, "batch_norm": True}


def test_step_lowers_the_loss_and_counts(batch):
    _, _, step = prepared()
    losses = losses_of_steps(step, batch, 12)
    assert losses[-1] < 0.8 * losses[0]
    assert float(step.metric_totals[0]) == 8


def test_augmentation_follows_the_step_number(batch):
    def loss_of(number: int) -> float:
        _, _, step = prepared(architecture="linear")
        step(batch, number)
        return metrics.means(step.metric_totals, "both", CIFAR100.classes)["loss"]

    assert loss_of(3) == loss_of(3)
    assert loss_of(3) != loss_of(4)


def test_schedule_sets_the_rate_of_each_step(batch):
    _, optimizer, step = prepared(
        architecture="linear", schedule="warmup_linear", warmup_fraction=0.25, learning_rate=2.0
    )
    for number, expected in ((0, 2.0 * 0.005 / 0.25), (24, 2.0 * 0.245 / 0.25), (99, 2.0 * 0.005 / 0.75)):
        step(batch, number)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-4)


def test_schedule_without_warmup_starts_at_the_top():
    config = TrainConfig(warmup_fraction=0.0, learning_rate=1.0)
    rates = [float(schedules.learning_rate(config, tf.constant(step), 10)) for step in range(10)]
    assert rates == pytest.approx([0.95 - 0.1 * step for step in range(10)])


def test_cosine_falls_from_the_top_to_nothing():
    config = TrainConfig(schedule="warmup_cosine", warmup_fraction=0.2, learning_rate=3.0)
    rates = np.array([float(schedules.learning_rate(config, tf.constant(step), 1000)) for step in range(1000)])
    assert rates[:200] == pytest.approx(3.0 * (np.arange(200) + 0.5) / 200, rel=1e-4)
    fallen = (np.arange(200, 1000) + 0.5 - 200) / 800
    assert rates[200:] == pytest.approx(1.5 + 1.5 * np.cos(np.pi * fallen), abs=1e-3)


def test_sam_takes_its_gradients_uphill(batch):
    def trained(sam_radius: float) -> tuple[list[np.ndarray], list[np.ndarray], TrainStep]:
        plain = {"architecture": "linear", "momentum": 0.0, "weight_decay": 0.0}
        model, _, step = prepared(DataConfig(augmentation="none"), sam_radius=sam_radius, **plain)
        untrained = [value.copy() for value in model.get_weights()]
        step(batch, 0)
        return untrained, model.get_weights(), step

    before, plain, _ = trained(0.0)
    gradients = [(old - new) / 0.1 for old, new in zip(before, plain, strict=True)]
    length = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    uphill, _, step = prepared(DataConfig(augmentation="none"), architecture="linear", momentum=0.0, weight_decay=0.0)
    uphill.set_weights([old + 0.5 / length * gradient for old, gradient in zip(before, gradients, strict=True)])
    step(batch, 0)
    _, moved, _ = trained(0.5)
    for old, at_uphill, after, gradient in zip(before, uphill.get_weights(), moved, gradients, strict=True):
        expected = old + (at_uphill - (old + 0.5 / length * gradient))
        np.testing.assert_allclose(after, expected, rtol=1e-3, atol=1e-5)


def test_sam_without_a_gradient_stays_finite(batch):
    """There is no way uphill: google-deepmind/optax#1743."""
    values = {"architecture": "linear", "sam_radius": 0.5, "coarse_loss_weight": 0.0, "heads": "both"}
    model, _, step = prepared(DataConfig(augmentation="none"), **values, optimizer="sgd")
    step._gradients = lambda images, labels: _zero_gradients(model, images)
    step(batch, 0)
    assert all(np.isfinite(value).all() for value in model.get_weights())


def _zero_gradients(model, images):
    logits = model(images, training=True)
    return logits, [tf.zeros(variable.shape) for variable in model.trainable_variables]


def test_sam_keeps_the_statistics_of_the_first_pass(batch):
    values = {**NORMALISED, "learning_rate": 0.0, "weight_decay": 0.0}
    (plain, _, step), (sam, _, sam_step) = prepared(**values), prepared(sam_radius=0.5, **values)
    step(batch, 0)
    sam_step(batch, 0)
    for one, two in zip(plain.get_weights(), sam.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_both_passes_of_sam_drop_the_same(batch):
    config = {"architecture": "wide_resnet", "depth": 10, "widen_factor": 1, "dropout": 0.5, "learning_rate": 0.0}
    model, _, step = prepared(DataConfig(augmentation="none"), **config, sam_radius=0.0, weight_decay=0.0)
    sam, _, sam_step = prepared(DataConfig(augmentation="none"), **config, sam_radius=1e-9, weight_decay=0.0)
    for number in range(2):  # the second step's masks follow from what the first one left
        step(batch, number)
        sam_step(batch, number)
    for one, two in zip(model.non_trainable_variables, sam.non_trainable_variables, strict=True):
        np.testing.assert_allclose(one.numpy().astype(np.float64), two.numpy(), rtol=1e-4, atol=1e-6)
    seen = []
    dropped = next(layer for layer in sam.layers if isinstance(layer, keras.layers.Dropout))
    own = dropped.seed_generator
    next_seed = own.next
    own.next = lambda *given, **named: seen.append(own.state.value.numpy().tolist()) or next_seed(*given, **named)
    tf.config.run_functions_eagerly(True)
    try:
        sam_step(batch, 2)
    finally:
        tf.config.run_functions_eagerly(False)
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_overflow_under_sam_changes_no_weight(batch):
    model, optimizer, step = prepared(**SMALL, precision="mixed_float16", sam_radius=0.05)
    before = [variable.numpy() for variable in model.variables]
    optimizer.dynamic_scale.assign(2.0**100)
    step(batch, 0)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, variable.path)


def test_regularisers_of_layers_are_part_of_the_objective(batch):
    config = TrainConfig(
        architecture="linear",
        precision="float32",
        schedule="constant",
        learning_rate=0.1,
        momentum=0.0,
        weight_decay=0.0,
    )
    weights = []
    for factor in (0.0, 0.25):
        model = classifier.build(config, CIFAR100)
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dense):
                layer.kernel.regularizer = keras.regularizers.L2(factor)
        start = model.get_weights()
        optimizer = build_optimizer(config, model.trainable_variables)
        TrainStep(model, optimizer, DataConfig(augmentation="none"), CIFAR100, config, total_steps=10)(batch, 0)
        weights.append(model.get_weights())
    for old, plain, penalised in zip(start, *weights, strict=True):
        penalty = 0.1 * 2 * 0.25 * old if old.ndim == 2 else 0.0
        np.testing.assert_allclose(plain - penalised, penalty, atol=1e-5)


@pytest.mark.parametrize(("number", "is_plain"), [(89, False), (90, True)])
def test_ending_sees_images_as_they_are(batch, number, is_plain):
    def after(**data):
        model, _, step = prepared(DataConfig(**data), architecture="linear")
        step(batch, number)
        return model.trainable_variables[0].numpy()

    plain, augmented = after(augmentation="none"), after(augmentation="flip_shift")
    expected = plain if is_plain else augmented
    assert (plain != augmented).any()
    np.testing.assert_allclose(after(augmentation="flip_shift", unaugmented_last_fraction=0.1), expected, rtol=1e-6)


def test_overflow_changes_no_weight_and_halves_the_scale(batch):
    model, optimizer, step = prepared(**SMALL, precision="mixed_float16")
    step(batch, 0)
    before = [variable.numpy() for variable in model.variables]
    optimizer.dynamic_scale.assign(2.0**100)  # no float16 gradient survives this
    step(batch, 1)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, variable.path)
    assert float(optimizer.dynamic_scale) == 2.0**99
    assert int(optimizer.iterations) == 1
    optimizer.dynamic_scale.assign(2.0**10)
    weights = [variable.numpy() for variable in model.trainable_variables]
    step(batch, 2)
    assert (model.trainable_variables[-1].numpy() != weights[-1]).any()


def test_overflow_in_the_forward_pass_leaves_no_infinity_in_the_statistics(batch):
    model, _, step = prepared(**NORMALISED, precision="mixed_float16")
    convolution = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    convolution.kernel.assign(convolution.kernel * 1e6)
    step(batch, 0)
    assert all(np.isfinite(variable.numpy()).all() for variable in model.variables)
    assert int(step._optimizer.iterations) == 0
    assert step.metric_totals.numpy().tolist() == [0.0] * len(metrics.TOTALS)  # a skipped step is not counted either


def test_weight_decay_spares_normalisation_and_bias(batch):
    def after(weight_decay: float) -> list[tuple[str, np.ndarray]]:
        model, _, step = prepared(**NORMALISED, weight_decay=weight_decay)
        step(batch, 0)
        return [(variable.name, variable.numpy()) for variable in model.trainable_variables]

    pairs = zip(after(0.0), after(0.5), strict=True)
    changed = {name for (name, plain), (_, decayed) in pairs if (plain != decayed).any()}
    assert changed == {"kernel"}


def test_graph_is_traced_once(batch):
    _, _, step = prepared(architecture="linear")
    for number in range(3):
        step(batch, number)
    assert step._steps.experimental_get_tracing_count() == step._update.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("setting", "gpus", "expected"),
    [("on", [], True), ("auto", [], False), ("auto", ["g"], True), ("off", ["g"], False)],
)
def test_xla_where_it_pays(monkeypatch, setting, gpus, expected):
    from models.training import step as train_step

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    assert train_step._uses_xla(TrainConfig(jit_compile=setting)) is expected


@pytest.mark.parametrize("network", [{}, {**SMALL, "optimizer": "muon", "learning_rate": 1.0}])
def test_xla_step_trains_like_the_plain_one(batch, network):
    losses = []
    for jit_compile in ("on", "off"):
        _, _, step = prepared(jit_compile=jit_compile, **network)
        losses.append(losses_of_steps(step, batch, 2))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][1] != pytest.approx(losses[0][0], rel=1e-2)  # it did learn in between
