"""The images and labels that a step trains on: augmented or not, blended, at several resolutions."""

import numpy as np
import pytest
import tensorflow as tf

from models import metrics
from pipeline.augment import composition, sets
from pipeline.augment.layer import Augmentation
from pipeline.augment.mixing import MixUp
from pipeline.data_config import DataConfig
from tests.models.training.single_steps import losses_of_steps, prepared


class Darken(Augmentation):
    """Blacks everything out, so that what was augmented is seen."""

    def draw(self, seed, views):
        return ()

    def apply(self, images, drawn):
        return images * 0.0


def images_seen(monkeypatch, transforms, batch, **data) -> tf.Tensor:
    """What the step hands to the network."""
    monkeypatch.setattr(sets, "build", lambda *_: transforms)
    _, _, step = prepared(DataConfig(**data))
    seen = []
    step._update = lambda images, labels: seen.append((images, labels)) or tf.zeros(len(metrics.TOTALS), tf.float64)
    tf.config.run_functions_eagerly(True)
    try:
        step(batch, 0)
    finally:
        tf.config.run_functions_eagerly(False)
    return seen[0]


def test_originals_are_shown_as_they_are_and_the_others_augmented(monkeypatch, batch):
    shown = np.zeros(8, int)
    for pass_number in range(4):
        images, _ = images_seen(
            monkeypatch, (Darken(),), {**batch, "pass_number": np.full(8, pass_number)}, unaugmented_fraction=0.25
        )
        is_original = (images.numpy() == batch["image"]).all(axis=(1, 2, 3))
        assert (images.numpy()[~is_original] == 0.0).all()
        shown += is_original
    assert shown.tolist() == [1] * 8  # one pass of four each


def test_labels_of_both_heads_are_blended_as_the_images_are_and_originals_are_not(monkeypatch, batch):
    (images, labels) = images_seen(monkeypatch, (MixUp(alpha=1.0),), batch)
    fine, coarse = labels["fine"].numpy(), labels["coarse"].numpy()
    np.testing.assert_array_equal(fine.sum(axis=1), np.ones(8))
    own = fine[np.arange(8), batch["fine"]]
    blended = own < 1.0
    assert blended.sum() >= 4
    partners = [
        int(np.flatnonzero(batch["fine"] == np.argsort(row)[-1 if share < 0.5 else -2])[0])
        for row, share in zip(fine[blended], own[blended], strict=True)
    ]
    expected = (
        own[blended][:, None, None, None] * batch["image"][blended]
        + (1 - own[blended])[:, None, None, None] * batch["image"][partners]
    )
    np.testing.assert_allclose(images.numpy()[blended], expected, atol=1e-3)
    one_hot = np.eye(20)
    expected = (
        own[blended][:, None] * one_hot[batch["coarse"][blended]]
        + (1 - own[blended])[:, None] * one_hot[batch["coarse"][partners]]
    )
    np.testing.assert_allclose(coarse[blended], expected, atol=1e-6)
    (images, labels) = images_seen(monkeypatch, (MixUp(alpha=1.0),), batch, unaugmented_fraction=1.0)
    np.testing.assert_array_equal(images, batch["image"])
    np.testing.assert_array_equal(labels["fine"], np.eye(100)[batch["fine"]])


def test_blended_labels_train(monkeypatch, batch):
    monkeypatch.setattr(sets, "build", lambda *_: (MixUp(alpha=1.0),))
    _, _, step = prepared()
    losses = losses_of_steps(step, batch, 12)
    assert losses[-1] < losses[0]


def test_progressive_resolution_traces_one_graph_a_size(batch):
    model, _, step = prepared(DataConfig(resolutions="16:0.02,24:0.02,32:0.96"))
    sizes = []
    monitored = model.call
    model.call = lambda images, **more: sizes.append(images.shape[1]) or monitored(images, **more)
    for number in range(8):
        step(batch, number)
    assert sizes == [16, 24, 32]
    assert step._steps.experimental_get_tracing_count() == step._update.experimental_get_tracing_count() == 3


@pytest.mark.parametrize(("jit_compile", "expected"), [("auto", True), ("off", False)])
def test_augmentation_is_compiled_on_a_cpu_too_unless_xla_is_off(batch, jit_compile, expected):
    _, _, step = prepared(jit_compile=jit_compile)
    constants = {name: tf.constant(value) for name, value in batch.items()}
    graph = step._steps.get_concrete_function(
        [constants], tf.constant(0, tf.int64), 32, tf.zeros([0])
    ).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert any(node.attr["_XlaMustCompile"].b for node in nodes) is expected


def test_transforms_are_compiled_once_for_all_sizes(batch):
    _, _, step = prepared(DataConfig(resolutions="16:0.02,24:0.02,32:0.96"))
    built = []
    transform = step.transforms[0]
    monitored = transform.apply
    transform.apply = lambda *arguments: built.append(1) or monitored(*arguments)
    step._augment = composition.compiled(step.transforms)
    for number in range(6):
        step(batch, number)
    assert built == [1]
