"""The benchmark of augmentation: its rows, its peers, and what it refuses; nothing here is timed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.augment import cases, keras_peers, torchvision_peer
from benchmarks.augment import rows as augment_rows
from benchmarks.harness import results, timing
from benchmarks.harness.labels import Labels
from pipeline.augment import composition
from pipeline.augment.sets import SETS
from pipeline.common import errors
from pipeline.data_config import DataConfig
from tests.conftest import ROOT

BATCH_SIZE = 20
ROUND_S = 1e-6  # one batch a round
PEERED = tuple(what for what in cases.names() if keras_peers.keras_peer(what))
OLD_SCIPY = pytest.mark.filterwarnings("ignore:Please import .affine_transform.:DeprecationWarning")  # the generator's


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=0, batch_size=BATCH_SIZE)


@pytest.fixture(scope="module")
def batch(data) -> cases.Batch:
    return cases.Batch.first(data)


def measured(what: str, batch: cases.Batch) -> dict[str, results.Row]:
    compared = augment_rows.Compared(what, batch, ROUND_S)
    assert compared.rows() == []  # no round yet
    compared.time()
    return {row.name: row for row in compared.rows()}


@pytest.fixture
def no_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails, as where it is not installed


def test_batch_is_uint8_images_and_both_labels_one_hot(batch):
    assert (batch.images.shape, batch.images.dtype) == ((BATCH_SIZE, 32, 32, 3), tf.uint8)
    assert batch.targets.shape == (BATCH_SIZE, 120)
    np.testing.assert_array_equal(tf.reduce_sum(batch.targets[:, :100], axis=1), 1.0)
    np.testing.assert_array_equal(tf.reduce_sum(batch.targets[:, 100:], axis=1), 1.0)


@pytest.mark.parametrize("what", cases.names())
def test_every_set_and_transform_is_a_case_of_ours_and_draws_anew(what, batch):
    work = cases.ours(what, batch)
    first, second = work.run(1), work.run(1)
    assert work.labels.name == f"ours/{what}"
    assert (first.shape, first.dtype) == ((BATCH_SIZE, 32, 32, 3), tf.float32)
    assert (what == "none") == np.array_equal(first, second)


def test_every_set_is_among_the_names_once():
    assert set(SETS) < set(cases.names())
    assert len(set(cases.names())) == len(cases.names())


def test_ours_is_what_the_training_step_does_and_the_fourth_batch_is_step_3(batch):
    transforms = cases.transforms("original")
    views = composition.Views(tf.range(BATCH_SIZE, dtype=tf.int64), tf.fill([BATCH_SIZE], tf.constant(3, tf.int64)))
    drawn = composition.draw_all(transforms, 0, tf.constant(3, tf.int64), views)
    expected = composition.apply_all(batch.images, transforms, drawn)
    np.testing.assert_allclose(cases.ours("original", batch).run(4), expected, atol=0.01)


@pytest.mark.parametrize("what", PEERED)
def test_keras_peer_changes_the_images_and_mixes_labels_where_we_do(what, batch):
    stacked = keras_peers.Stacked(keras_peers.keras_peer(what).layers)
    (first, targets), (second, _) = stacked(*batch), stacked(*batch)
    assert (first.shape, first.dtype) == ((BATCH_SIZE, 32, 32, 3), tf.float32)
    mixes = composition.mixes_labels(cases.transforms(what))
    assert targets.shape == (BATCH_SIZE, 120)
    assert mixes != np.array_equal(targets, batch.targets)
    if what not in ("AugMix", "augmix"):  # chooses its operations when it is traced; now and then none
        assert not np.array_equal(first, tf.cast(batch.images, tf.float32))
        assert not np.array_equal(first, second)
    assert 0.0 <= np.min(first) < 64.0 < 128.0 < np.max(first) <= 255.01


UNPEERED = {"none", "MixUpOrCutMix", "TrivialAugmentWide", "trivial_augment", "modern"}  # Keras has no such layer


def test_keras_peers_have_our_names():
    peered = {*keras_peers._EQUAL, *keras_peers._NEAREST}
    assert set(cases.names()) == peered | UNPEERED
    assert not keras_peers._EQUAL.keys() & keras_peers._NEAREST.keys()


def test_xla_compiles_the_peers_that_it_can():
    for what, xla in {"HorizontalFlip": True, "Cutout": True, "flip_shift": False, "MixUp": False}.items():
        assert keras_peers.Stacked(keras_peers.keras_peer(what).layers).xla is xla, what


@OLD_SCIPY
def test_rows_of_the_study_by_contract(batch, no_torchvision):
    rows = measured("original", batch)
    peers = ["peer/keras_layers/original", "peer/ImageDataGenerator/original"]
    assert list(rows) == ["ours/original", *peers]
    assert rows["ours/original"].ratio is None
    for name, row in rows.items():
        assert (row.unit, row.repeats, row.batch_size, row.transforms) == ("images/s", 1, BATCH_SIZE, "original")
        assert min(row.median, row.first_call_s) > 0
        if name in peers:
            assert row.ratio_of == ["ours/original", name]
            assert row.ratio == pytest.approx(rows["ours/original"].median / row.median, rel=0.01)
    assert [rows[name].work for name in peers] == ["nearest", "equal"]


def test_name_without_a_peer_has_a_row_of_ours_alone(batch):
    assert list(measured("none", batch)) == ["ours/none"]


def test_rounds_add_up(batch):
    compared = augment_rows.Compared("HorizontalFlip", batch, ROUND_S)
    for _ in range(3):
        compared.time()
    ours, peer = compared.rows()
    assert (ours.repeats, peer.repeats) == (3, 3)
    assert ours.min < ours.max


def test_round_is_as_many_batches_as_it_takes_and_the_first_call_stands_apart():
    asked = []

    def run(num_batches: int) -> np.ndarray:
        asked.append(num_batches)
        return np.zeros([1, 1, 1, 1])

    work = cases.Work(Labels("ours/x", "augmentation"), run, min_batches=3)
    first_s, case = augment_rows._first_s_and_case(work, batch_size=10, round_s=1e9)
    case.run()
    assert asked[:3] == [1, 3, 24]  # at most eight times as many as before, whatever the clock says
    assert asked[-1] == timing.MAX_CALLS
    assert case.num_units == 10 * timing.MAX_CALLS
    assert first_s > 0


@OLD_SCIPY
def test_generator_gives_batches_of_the_study_in_the_fixed_order(batch):
    generator = keras_peers.Generator(batch.images.numpy())
    first, second = generator(1), generator(2)
    assert (first.shape, first.dtype) == ((BATCH_SIZE, 32, 32, 3), np.float32)
    assert not np.array_equal(first, second)
    # A channel shift is one value for the image: without geometry, means stay near those of the originals.
    assert np.corrcoef(first.mean(axis=(1, 2, 3)), batch.images.numpy().mean(axis=(1, 2, 3)))[0, 1] > 0.2


def test_absent_torchvision_is_told_in_one_line(batch, no_torchvision, capsys):
    assert torchvision_peer.load(batch.images.numpy()) == {}
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert told.startswith("peer/torchvision/original is left out: ")
    assert "pip install -e '.[peers]'" in told


def test_torchvision_draws_for_each_image(batch):
    pytest.importorskip("torchvision")
    twice = np.repeat(batch.images.numpy()[:1], 2, axis=0)
    images = torchvision_peer.Loader(twice, num_workers=0)(2).numpy()
    assert (images.shape, images.dtype) == ((2, 3, 32, 32), np.float32)
    assert not np.array_equal(images[0], images[1])


def test_torchvision_is_asked_for_whole_batches():
    sampler = torchvision_peer.SameBatches(3)
    sampler.num_batches = 2
    assert (len(sampler), list(sampler)) == (2, [[0, 1, 2], [0, 1, 2]])


def test_share_of_the_training_step(data):
    step, share = augment_rows.share_of_quick_step(data, repeats=1, round_s=ROUND_S, num_steps=1)
    assert (step.name, step.unit, step.batch_size) == ("ours/quick_step", "images/s", BATCH_SIZE)
    assert (share.name, share.unit, share.repeats) == ("ours/flip_shift_share_of_quick_step", "%", 1)
    assert share.limit == 5.0
    assert share.min == share.median == share.max > 0


def test_share_is_time_an_image_over_time_an_image_round_by_round():
    steps, augment = (
        timing.Timing(augment_rows.STEP, 1.0, (500.0, 1000.0)),
        timing.Timing(augment_rows.SHARE, 1.0, (50_000.0, 50_000.0)),
    )
    assert augment_rows._shares(steps, augment) == pytest.approx([1.0, 2.0])


def test_unknown_name_is_refused():
    with pytest.raises(errors.BadArgumentError, match=r"sets='orignal'.*did you mean 'original'"):
        cases.check(["flip_shift", "orignal"])


def call(*flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.augment", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def test_binary_refuses_an_unknown_set_in_one_line(tiny_data_dir):
    done = call("--sets=studdy", f"--data_dir={tiny_data_dir}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: sets='studdy': expected some of none, flip_shift, ")
    assert done.stderr.count("\n") == 1


def test_binary_writes_the_rows_of_the_sets_it_was_given(tiny_data_dir, tmp_path):
    source = ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    done = call("--quick", "--repeats=1", "--batch_size=20", "--sets=flip_shift,Cutout", "--nostep", *source)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["benchmark"] == "augment"
    assert [row["name"] for row in document["rows"]] == [
        "ours/flip_shift",
        "peer/keras_layers/flip_shift",
        "ours/Cutout",
        "peer/keras_layers/Cutout",
    ]
    assert {row["repeats"] for row in document["rows"]} == {1}
