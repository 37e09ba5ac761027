"""A tuple of transforms at work: draws that follow from seed and step alone, anywhere, and nothing else."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from pipeline.augment import sets
from pipeline.augment.composition import apply_all, compiled, draw_all, mix_labels
from pipeline.augment.geometric import AlternatingFlip, HorizontalFlip, Rotation
from pipeline.augment.layer import num_replicas, of_replica
from pipeline.augment.mixing import MixUp
from pipeline.augment.windows import Crop, Shift

from .layers import augment, digest, views

ROOT = pathlib.Path(__file__).resolve().parents[3]


def drawn_at(transforms, seed: int, step: int, num_images: int = 16):
    drawn = draw_all(transforms, seed, tf.constant(step, tf.int64), views(num_images))
    return tf.nest.map_structure(lambda of: of.numpy(), drawn)


@pytest.mark.parametrize("name", ["flip_shift", "original", "flip_crop_cutout"])
def test_augmenting_is_a_function_of_seed_and_step(name, images):
    transforms = sets.build(name, 32)
    images = images.astype(np.uint8)
    here = augment(images, transforms, 0, 5)
    np.testing.assert_array_equal(augment(images, sets.build(name, 32), 0, 5), here)
    assert (augment(images, transforms, 0, 6) != here).any()
    assert (augment(images, transforms, 1, 5) != here).any()
    assert here.dtype == np.float32


@pytest.mark.parametrize("name", sets.SETS)
def test_draws_in_a_graph_are_the_same(name):
    transforms = sets.build(name, 32)
    traced = tf.function(lambda step: draw_all(transforms, 7, step, views(16)))
    for step in (0, 1, 2**33):
        tf.nest.map_structure(
            lambda a, b: np.testing.assert_array_equal(a.numpy(), b),
            traced(tf.constant(step, tf.int64)),
            drawn_at(transforms, 7, step),
        )


def test_two_alike_transforms_draw_apart():
    first, second = drawn_at((Rotation(), Rotation()), 0, 0)
    assert (first != second).all()


def test_a_transforms_draws_do_not_hang_on_those_beside_it():
    _, alone = drawn_at((HorizontalFlip(), Shift()), 0, 0)
    _, other, _ = drawn_at((Rotation(), Shift(), Rotation()), 0, 0)
    np.testing.assert_array_equal(alone, other)


def test_images_of_a_batch_and_steps_are_independent():
    """Over 400 steps: no image's draws follow another's, nor a step's the step's before."""
    transforms = (Rotation(), HorizontalFlip())
    steps = tf.function(lambda step: draw_all(transforms, 0, step, views(24)))
    told = [steps(tf.constant(step, tf.int64)) for step in range(400)]
    degrees = np.stack([of[0].numpy() for of in told])
    flips = np.stack([of[1].numpy() for of in told])
    bound = 4.5 / np.sqrt(400)
    assert np.abs(np.corrcoef(degrees.T) - np.eye(24)).max() < bound
    assert np.abs(np.corrcoef(flips.T) - np.eye(24)).max() < bound
    assert abs(np.corrcoef(degrees[1:].ravel(), degrees[:-1].ravel())[0, 1]) < 4.5 / np.sqrt(degrees.size)
    assert abs(np.corrcoef(flips[1:].ravel(), flips[:-1].ravel())[0, 1]) < 4.5 / np.sqrt(degrees.size)
    assert abs(np.corrcoef(degrees.ravel(), flips.ravel())[0, 1]) < 4.5 / np.sqrt(degrees.size)


def test_neighbours_in_a_batch_are_independent_pairs():
    (shifts,) = drawn_at((Shift(2),), 0, 0, 40_000)
    places = (shifts[:, 0] + 2) * 5 + shifts[:, 1] + 2
    pairs = np.zeros((25, 25))
    np.add.at(pairs, (places[::2], places[1::2]), 1)
    assert scipy.stats.chi2_contingency(pairs).pvalue > 0.001


def test_floats_pass_as_bytes_do(images):
    transforms = sets.build("original", 32)
    np.testing.assert_array_equal(augment(images, transforms, 0, 0), augment(images.astype(np.uint8), transforms, 0, 0))


def test_each_transform_takes_what_was_drawn_for_it(images):
    with pytest.raises(ValueError, match="zip"):
        apply_all(images, (HorizontalFlip(), Shift()), (np.ones(16, bool),))


def test_originals_keep_their_pixels_and_labels(run, images):
    transforms = (HorizontalFlip(), MixUp())
    drawn, original = drawn_at(transforms, 0, 0), np.arange(16) % 3 == 0
    targets = np.eye(16, dtype=np.float32)

    def both(images, targets, drawn, original):
        return apply_all(images, transforms, drawn, original), mix_labels(targets, transforms, drawn, 32, 32, original)

    out, mixed = (of.numpy() for of in run(both, images, targets, drawn, original))
    np.testing.assert_array_equal(out[original], images[original])
    np.testing.assert_array_equal(mixed[original], targets[original])
    others = ~original
    np.testing.assert_allclose(out[others], apply_all(images, transforms, drawn)[others], atol=1e-3)
    np.testing.assert_allclose(mixed[others], mix_labels(targets, transforms, drawn, 32, 32)[others], atol=1e-5)
    assert (out[others] != images[others]).any((1, 2, 3)).sum() > 5
    assert (mixed[others] != targets[others]).any(1).sum() > 5


def test_images_are_resized_in_the_end(images):
    transforms = sets.build("flip_shift", 32)
    drawn = tf.nest.map_structure(tf.constant, drawn_at(transforms, 0, 0))
    expected = tf.image.resize(apply_all(images, transforms, drawn), (24, 24), antialias=True)
    out = compiled(transforms)(images, drawn, size=24)
    assert np.abs(out - expected).max() <= 0.01


def test_where_a_transform_does_not_allow_xla_nothing_is_compiled(images):
    class Printing(HorizontalFlip):
        """XLA refuses strings."""

        xla = False

        def apply(self, images, drawn):
            with tf.control_dependencies([tf.strings.as_string(images)]):
                return super().apply(images, drawn)

    images, drawn = tf.constant(images), (tf.ones([16], tf.bool),)
    np.testing.assert_array_equal(compiled((HorizontalFlip(), Printing()))(images, drawn * 2), images)
    with pytest.raises(tf.errors.InvalidArgumentError, match="AsString"):
        tf.function(Printing().apply, jit_compile=True)(images, *drawn)


class Uncompilable(HorizontalFlip):
    xla = False


def test_what_xla_can_compile_is_compiled_each_by_itself(images):
    def compiled_parts(program, size: int | None = None) -> list[bool]:
        drawn = (tf.ones([16], tf.bool),) * 2
        graph = program.get_concrete_function(tf.constant(images), drawn, size=size).graph
        calls = [node for node in graph.as_graph_def().node if node.op.endswith("PartitionedCall")]
        return sorted(call.attr["_XlaMustCompile"].b for call in calls)

    both = (HorizontalFlip(), Uncompilable())
    assert compiled_parts(compiled(both)) == [False, True]
    assert compiled_parts(compiled(both), size=16) == [False, True, True]
    assert compiled_parts(compiled(both), size=32) == [False, True]  # nothing to resize
    assert compiled_parts(compiled(both, allow_xla=False), size=16) == [False, False, False]


OTHER_PROCESS = """
import sys

import numpy as np
import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pipeline.augment.geometric import Rotation
from tests.pipeline.augment.layers import digest
from tests.pipeline.augment.test_composition import DIGESTED, pixels, step_of

told = {name: digest(name) for name in DIGESTED}
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
images = pixels()
program = tf.function(lambda number: strategy.run(tf.function(step_of(images)), args=(number,)))
values = program(tf.constant(5, tf.int64))
with strategy.scope():
    layer = Rotation(90.0, name="turned")
    layer.build(images.shape)
half = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(np.split(images, 2)[context.replica_id_in_sync_group])
)
of_layer = strategy.run(tf.function(lambda images: layer(images, training=True)), args=(half,))
for replica in range(2):
    for place, of in enumerate([*tf.nest.flatten(values), of_layer]):
        told[f"{replica}/{place}"] = strategy.experimental_local_results(of)[replica].numpy()
np.savez(sys.argv[1], **told)
"""
DIGESTED = ("flip_shift", "original")
REPLICATED = (HorizontalFlip(), Rotation(), AlternatingFlip(), Shift(2), MixUp())


def pixels():
    return np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype(np.uint8)


def step_of(images):
    """A training step's augmentation: what was drawn, and the images."""

    def step(number):
        drawn = draw_all(REPLICATED, 0, number, views(len(images)))
        return of_replica((drawn, apply_all(images, REPLICATED, drawn)), len(images) // num_replicas())

    return step


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What another process, with two replicas, has computed."""
    path = tmp_path_factory.mktemp("told") / "told.npz"
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, path], cwd=ROOT, check=True, capture_output=True)
    return np.load(path)


def test_the_same_pixels_after_a_restart(told):
    """Another process, as after a preemption, makes the same bytes."""
    assert {name: str(told[name]) for name in DIGESTED} == {name: digest(name) for name in DIGESTED}


def test_replicas_draw_what_one_process_draws_at_their_places(told):
    layer, images = Rotation(90.0, name="turned"), tf.constant(pixels())
    of_one = [*tf.nest.flatten(step_of(images)(tf.constant(5, tf.int64))), layer(images, training=True)]
    for place, expected in enumerate(of_one):
        of_replicas = np.concatenate([told[f"0/{place}"], told[f"1/{place}"]])
        np.testing.assert_allclose(of_replicas.astype(float), expected.numpy().astype(float), atol=0.01)


@pytest.mark.usefixtures("policy")
def test_unaugmented_views_of_larger_images_are_their_middle():
    images = np.random.default_rng(4).integers(0, 256, (32, 40, 40, 3)).astype(np.uint8)
    transforms = sets.build("modern", 40, 32)
    drawn, original = draw_all(transforms, 0, tf.constant(0, tf.int64), views(32)), tf.range(32) % 2 == 0
    out = compiled(transforms)(images, drawn, original).numpy()
    np.testing.assert_array_equal(out[::2], images[::2, 4:36, 4:36])
    np.testing.assert_array_equal(out[1::2], compiled(transforms)(images, drawn).numpy()[1::2])
    assert (out[1::2] != images[1::2, 4:36, 4:36]).any(axis=(1, 2, 3)).all()


def test_a_crop_to_the_images_own_size_adds_no_operation(images):
    assert Crop(32, padding=4).unaugmented(images) is images
