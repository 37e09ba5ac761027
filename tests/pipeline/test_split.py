"""The held-out split on shapes100_tiny and synthetic streams."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from pipeline import split
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets import labels


def stream(per_class: int, chunk: int = 64) -> tf.data.Dataset:
    """Chunks of examples whose position is their identity, classes interleaved irregularly."""
    fine = np.random.default_rng(0).permutation(np.repeat(np.arange(labels.NUM_FINE), per_class)).astype(np.int32)
    return tf.data.Dataset.from_tensor_slices({"position": np.arange(len(fine)), "fine": fine}).batch(chunk)


def positions(chunks: tf.data.Dataset) -> list[int]:
    return [int(example["position"]) for example in chunks.unbatch().as_numpy_iterator()]


def kept(part: str, per_class: int, num_validation: int, seed: int = 0) -> list[tuple[int, int]]:
    stage = split.HoldOut(part, per_class * labels.NUM_FINE, num_validation, seed)
    examples = stage(stream(per_class)).unbatch()
    return [(int(e["position"]), int(e["fine"])) for e in examples.as_numpy_iterator()]


def test_parts_are_disjoint_whole_and_stratified():
    train, validation = kept("train", 10, 300), kept("validation", 10, 300)
    assert set(collections.Counter(fine for _, fine in train).values()) == {7}
    assert set(collections.Counter(fine for _, fine in validation).values()) == {3}
    assert sorted(position for position, _ in train + validation) == list(range(1000))


def test_split_is_the_same_for_a_seed_and_another_for_another():
    assert kept("validation", 10, 300, seed=1) == kept("validation", 10, 300, seed=1)
    assert kept("validation", 10, 300, seed=1) != kept("validation", 10, 300, seed=2)


def test_every_place_in_a_class_is_held_out_equally_often():
    order = {}
    for position, fine in [(int(e["position"]), int(e["fine"])) for e in stream(10).unbatch().as_numpy_iterator()]:
        order.setdefault(fine, []).append(position)
    rank = {position: place for positions in order.values() for place, position in enumerate(positions)}
    held_out = collections.Counter(rank[p] for seed in range(5) for p, _ in kept("validation", 10, 300, seed))
    assert sum(held_out.values()) == 1500
    assert all(100 < held_out[place] < 200 for place in range(10))  # 150 expected, standard deviation 10


def test_order_is_kept():
    found = positions(split.HoldOut("train", 1000, 300, 0)(stream(10)))
    assert found == sorted(found)


def test_parts_do_not_depend_on_the_chunks():
    part = split.HoldOut("validation", 1000, 300, 0)
    assert (
        positions(part(stream(10, chunk=1))) == positions(part(stream(10, chunk=1000))) == positions(part(stream(10)))
    )


def test_nothing_held_out_is_everything_in_training():
    assert len(kept("train", 10, 0)) == 1000
    assert kept("validation", 10, 0) == []


def test_mask_file_gives_the_same_parts_and_is_read(tmp_path, monkeypatch):
    mask_file = tmp_path / "cache" / "held-out.npy"
    parts = [split.HoldOut(part, 1000, 300, 0, str(mask_file)) for part in ("train", "validation")]
    found = [positions(part(stream(10))) for part in parts]
    assert [path.name for path in mask_file.parent.iterdir()] == [mask_file.name]
    assert found == [[position for position, _ in kept(part, 10, 300)] for part in ("train", "validation")]
    monkeypatch.setattr(split.HoldOut, "_draw_mask", lambda *_: pytest.fail("drawn again"))
    assert found == [positions(part(stream(10))) for part in parts]


@pytest.mark.parametrize(
    "content", [b"", b"no array", np.zeros(1000, bool), np.ones(1000, bool), np.zeros(1000), np.arange(300) < 300]
)
def test_mask_file_that_is_not_whole_is_drawn_again(tmp_path, content):
    mask_file = tmp_path / "held-out.npy"
    mask_file.write_bytes(content) if isinstance(content, bytes) else np.save(mask_file, content)
    part = split.HoldOut("validation", 1000, 300, 0, str(mask_file))
    assert positions(part(stream(10))) == [p for p, _ in kept("validation", 10, 300)]
    assert np.load(mask_file).sum() == 300


def test_mask_file_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    part = split.HoldOut("validation", 1000, 300, 0, str(tmp_path / "file" / "held-out.npy"))
    assert len(positions(part(stream(10)))) == 300


@pytest.mark.parametrize("num_validation", [150, 1000])
def test_uneven_or_whole_holdout_is_refused(num_validation):
    with pytest.raises(errors.BadArgumentError, match=f"num_validation={num_validation}: expected a multiple of 100"):
        split.HoldOut("train", 1000, num_validation, 0)


def test_a_class_with_too_few_examples_is_one_clear_line():
    short = stream(10).unbatch().filter(lambda example: example["position"] > 0).batch(64)
    with pytest.raises(errors.FailedError, match=r"expected 1000 .*, 300 .*; got 999 and .*: prepare"):
        split.HoldOut("train", 1000, 300, 0)(short)
    most_of_one = stream(10).map(lambda chunk: {**chunk, "fine": tf.minimum(chunk["fine"], 98)})
    with pytest.raises(errors.FailedError, match=r"expected 1000 .*, 300 .*; got 1000 and \d+"):
        split.HoldOut("train", 1000, 300, 0)(most_of_one)


@pytest.mark.real_data
def test_real_classes_have_400_and_100(real_data_dir):
    opened = OpenedData(DataConfig(data_dir=real_data_dir))
    for part, expected in (("train", 400), ("validation", 100)):
        examples = opened.examples(part)
        counts = collections.Counter(int(example["fine"]) for example in examples.unbatch().as_numpy_iterator())
        assert counts == dict.fromkeys(range(100), expected)
