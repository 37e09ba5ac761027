"""Batches: nothing dropped, nothing twice, and batch k the same wherever the stream begins."""

import collections
import dataclasses
import errno
import itertools
import os
import pathlib
import time

import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from pipeline import batches, disk_cache, memory_cache, shuffling, source, stages
from pipeline.batches import OpenedData
from pipeline.common import errors, files
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared
from tests.durable_files import DiskRecord

NUM_TRAIN = 1500  # of shapes100_tiny's 2,000, 500 held out


def tiny(data_dir, **values) -> DataConfig:
    defaults = {"dataset": "shapes100_tiny", "data_dir": data_dir, "num_validation": 500, "batch_size": 64}
    return DataConfig(**{**defaults, **values})


def fingerprints(config: DataConfig, start_step: int, count: int, seed: int = 0) -> list[list[bytes]]:
    stream = OpenedData(config).train(seed, start_step)
    return [[image.tobytes() for image in batch["image"]] for batch in stream.take(count).as_numpy_iterator()]


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_batch_k_does_not_depend_on_where_the_stream_began(tiny_data_dir, cache):
    config = tiny(tiny_data_dir, cache=cache)
    whole = fingerprints(config, 0, 50)  # 1,500 / 64: two passes and some
    for start in (1, 22, 23, 24, 47):
        assert fingerprints(config, start, 2) == whole[start : start + 2]


def test_examples_are_decoded_once_a_process_and_others_are_not_taken_for_them(tiny_data_dir, monkeypatch):
    config = tiny(tiny_data_dir)

    def validation(config: DataConfig) -> list[bytes]:
        stream = OpenedData(config).evaluation("validation").as_numpy_iterator()
        return [image.tobytes() for batch in stream for image in batch["image"][batch["mask"]]]

    train, held_out = fingerprints(config, 0, 3), validation(config)
    assert fingerprints(tiny(tiny_data_dir, split_seed=1), 0, 3) != train
    assert len(OpenedData._cache) <= memory_cache.MAX_CACHED_DATASETS
    assert (fingerprints(config, 0, 3), validation(config)) == (train, held_out)
    monkeypatch.setattr(stages.Decode, "_decode", lambda self, chunk: {**chunk, "image": tf.io.decode_png("none")})
    assert (fingerprints(config, 0, 3), validation(config)) == (train, held_out)


def test_opened_data_has_sizes_names_and_examples(tiny_data_dir):
    opened = OpenedData(tiny(tiny_data_dir))
    assert opened.num_examples == {"train": 1500, "validation": 500, "test": 500}
    assert opened.description.classes.counts == {"fine": 100, "coarse": 20}
    for split_name, count in opened.num_examples.items():
        images = memory_cache.in_memory(opened.examples(split_name), count)["image"]
        assert images.shape == (count, 32, 32, 3)
    assert type(opened.train_stages(seed=0)[0]).__name__ == "HoldOut"


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_every_pass_holds_every_example_once(tiny_data_dir, cache):
    config = tiny(tiny_data_dir, cache=cache)
    images = list(itertools.chain(*fingerprints(config, 0, 47)))
    first, second = images[:NUM_TRAIN], images[NUM_TRAIN : 2 * NUM_TRAIN]
    assert len(set(first)) == NUM_TRAIN
    assert set(first) == set(second)
    assert first != second


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_views_are_numbered_by_example_and_pass_wherever_the_stream_begins(tiny_data_dir, cache):
    config = tiny(tiny_data_dir, cache=cache)
    opened = OpenedData(config)
    index_of, passes = {}, collections.defaultdict(list)
    stream = opened.train(0).take(71).as_numpy_iterator()  # three passes and some
    whole = list(stream)
    for batch in whole:
        for image, index, number in zip(batch["image"], batch["index"], batch["pass_number"], strict=True):
            assert index_of.setdefault(image.tobytes(), index) == index
            passes[index].append(number)
    assert sorted(passes) == list(range(NUM_TRAIN))
    assert all(numbers[:3] == [0, 1, 2] for numbers in passes.values())
    later = next(opened.train(0, 30).as_numpy_iterator())
    for name in stages.VIEW_KEYS:
        np.testing.assert_array_equal(later[name], whole[30][name])


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_rows_are_the_part_of_a_process(tiny_data_dir, cache):
    opened = OpenedData(tiny(tiny_data_dir, cache=cache))
    streams = [opened.train(0, 5, rows) for rows in (None, range(24), range(24, 64))]
    for whole, first, second in itertools.islice(zip(*(one.as_numpy_iterator() for one in streams), strict=True), 3):
        for name, values in whole.items():
            parts = [first[name]] if name in stages.VIEW_KEYS else [first[name], second[name]]
            np.testing.assert_array_equal(np.concatenate(parts), values)


def test_seed_decides_the_order(tiny_data_dir):
    config = tiny(tiny_data_dir)
    assert fingerprints(config, 0, 1, seed=1) == fingerprints(config, 0, 1, seed=1)
    assert fingerprints(config, 0, 1, seed=1) != fingerprints(config, 0, 1, seed=2)


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_order_does_not_depend_on_tensorflows_global_seed(tiny_data_dir, cache):
    config = tiny(tiny_data_dir, cache=cache)
    orders = [fingerprints(config, 0, 2)]
    try:
        for seed in (0, 7):
            tf.random.set_seed(seed)
            orders.append(fingerprints(config, 0, 2))
    finally:
        context._context._seed = None  # there is no public way back to no seed
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.parametrize(
    ("cache", "first", "later"),
    [
        ("memory", [1230, 1052, 1342, 350, 331, 138], [641, 1315, 124, 647, 1401, 1125]),
        ("none", [4, 43, 73, 6, 52, 67], [427, 414, 152, 332, 419, 370]),
    ],
)
def test_order_is_that_of_earlier_versions_so_that_their_runs_go_on(tiny_data_dir, cache, first, later):
    config = tiny(tiny_data_dir, cache=cache, **({"shuffle_buffer": 100} if cache == "none" else {}))
    stream = list(OpenedData(config).train(7).take(30).as_numpy_iterator())
    assert stream[0]["index"][:6].tolist() == first
    assert stream[29]["index"][:6].tolist() == later


def test_pass_is_read_ahead_of_its_shuffling():
    read = []

    def chunks():
        for number in range(100):
            read.append(number)
            yield {"fine": np.full(source.CHUNK, number, np.int32)}

    spec = {"fine": tf.TensorSpec(source.CHUNK, tf.int32)}
    dataset = stages.without_autotune(tf.data.Dataset.from_generator(chunks, output_signature=spec))
    stream = iter(stages.without_autotune(shuffling.WindowShuffledPasses(buffer=1, seed=0)(dataset)))
    next(stream)
    end = time.monotonic() + 600
    while len(read) <= shuffling.CHUNKS_AHEAD:  # two without reading ahead
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(read) < shuffling.CHUNKS_AHEAD + 5


def test_labels_stay_with_their_images(tiny_data_dir):
    config = tiny(tiny_data_dir)
    opened = OpenedData(config)
    labels = {}
    for step in (0, 30):
        for batch in opened.train(0, step).take(24).as_numpy_iterator():
            for image, fine, coarse in zip(batch["image"], batch["fine"], batch["coarse"], strict=True):
                assert labels.setdefault(image.tobytes(), (fine, coarse)) == (fine, coarse)
    assert len(labels) == NUM_TRAIN


def test_batches_are_uint8_and_full(tiny_data_dir):
    config = tiny(tiny_data_dir)
    spec = OpenedData(config).train(0).element_spec
    assert spec["image"].shape == (64, 32, 32, 3)
    assert spec["image"].dtype == np.uint8
    assert spec["fine"].dtype == spec["coarse"].dtype == np.int32


def test_memory_permutes_the_whole_and_a_window_only_its_reach(tiny_data_dir):
    ordered = fingerprints(tiny(tiny_data_dir, cache="none", shuffle_buffer=1), 0, 23)
    place = {image: number for number, image in enumerate(itertools.chain(*ordered))}

    def reach(config: DataConfig) -> int:
        images = itertools.chain(*fingerprints(config, 0, 23))
        return max(place.get(image, 0) - number for number, image in enumerate(images))

    assert reach(tiny(tiny_data_dir, cache="none", shuffle_buffer=50)) <= 50
    assert reach(tiny(tiny_data_dir)) > NUM_TRAIN / 2


@pytest.mark.parametrize(("split", "expected"), [("validation", 500), ("test", 500)])
def test_evaluation_pads_and_masks(tiny_data_dir, monkeypatch, split, expected):
    monkeypatch.setattr(batches, "EVAL_BATCH_SIZE", 150)
    config = tiny(tiny_data_dir)
    found = list(OpenedData(config).evaluation(split).as_numpy_iterator())
    assert [len(batch["mask"]) for batch in found] == [150] * 4
    assert sum(batch["mask"].sum() for batch in found) == expected
    assert found[-1]["mask"].tolist() == [True] * 50 + [False] * 100
    fine = np.concatenate([batch["fine"][batch["mask"]] for batch in found])
    assert set(collections.Counter(fine.tolist()).values()) == {5}


def images_of(stream) -> np.ndarray:
    return np.concatenate([batch["image"] for batch in stream.as_numpy_iterator()])


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("cache", ["memory", "none"])
def test_evaluation_takes_the_middle_of_larger_images(tiny_data_dir, cache, split):
    whole, cropped = (OpenedData(tiny(tiny_data_dir, cache=cache, crop_size=size)) for size in (0, 25))
    assert (whole.input_size, cropped.input_size, cropped.description.image_size) == (32, 25, 32)
    np.testing.assert_array_equal(
        images_of(cropped.evaluation(split)), images_of(whole.evaluation(split))[:, 3:28, 3:28]
    )


@pytest.mark.parametrize("cache", ["memory", "device", "disk", "none"])
def test_training_streams_whole_images_for_augmentation_to_crop(tiny_data_dir, cache):
    def first(**values) -> np.ndarray:
        opened = OpenedData(tiny(tiny_data_dir, cache=cache, **values))
        return images_of(opened.train(0).take(2).map(opened.whole))

    whole = first()
    np.testing.assert_array_equal(first(crop_size=24), whole)
    np.testing.assert_array_equal(first(crop_size=24, augmentation="none"), whole[:, 4:28, 4:28])


def test_batches_of_images_on_the_device_are_their_indices(tiny_data_dir, monkeypatch):
    opened = OpenedData(tiny(tiny_data_dir, cache="device"))
    batch = next(iter(opened.train(0)))
    assert sorted(batch) == sorted(stages.VIEW_KEYS)
    # The graph gathers from the images that are there, and keeps them.
    monkeypatch.setattr(stages.Decode, "_decode", lambda self, chunk: {**chunk, "image": tf.io.decode_png("none")})
    gather = tf.function(opened.whole)
    first = gather(batch)["image"]
    monkeypatch.setattr(OpenedData, "_cache", memory_cache.MemoryCache())
    np.testing.assert_array_equal(gather(batch)["image"], first)


def test_a_crop_of_all_pixels_is_no_stage(tiny_data_dir):
    config = tiny(tiny_data_dir, augmentation="none")
    for size, is_cropped in ((0, False), (32, False), (31, True)):
        stages_of_size = OpenedData(config.replace(crop_size=size)).train_stages(0)
        assert any(isinstance(stage, stages.CenterCrop) for stage in stages_of_size) == is_cropped


@pytest.mark.parametrize("values", [{"crop_size": 33}, {"crop_size": 65, "image_size": 64}, {"crop_size": 7}])
def test_a_crop_larger_than_the_images_or_tiny_is_refused(values):
    with pytest.raises(errors.BadArgumentError, match=rf"^crop_size={values['crop_size']}: expected "):
        DataConfig(**values)


@pytest.mark.parametrize("name", ["cache", "a[1]*?\\'ü"])
def test_disk_cache_is_made_once(name, tiny_data_dir, tmp_path):
    """Also where tf.data takes its name for a pattern and reads nothing (tensorflow/tensorflow#55756, #70116)."""
    folder = tmp_path / name
    (tmp_path / f".{name}.partial").mkdir()  # of a process that was killed
    config = tiny(tiny_data_dir)
    examples = stages.Decode(32)(OpenedData(config).read("test"))
    first = memory_cache.in_memory(disk_cache.CacheOnDisk(str(folder))(examples), 500)["image"].numpy()
    second = memory_cache.in_memory(disk_cache.CacheOnDisk(str(folder))(examples.take(0)), 500)["image"].numpy()
    assert len(first) == 500
    assert np.array_equal(first, second)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".prepare.lock", name]


@pytest.mark.parametrize("text", ["", "{}", "null", "[" * 100_000])
def test_disk_cache_with_damaged_checksums_is_made_again(text, tmp_path):
    cache, numbers = disk_cache.CacheOnDisk(str(tmp_path / "cache")), tf.data.Dataset.range(10)
    list(cache(numbers))
    (tmp_path / "cache" / disk_cache.CHECKSUMS).write_text(text)
    assert [int(number) for number in cache(numbers.map(lambda number: number + 1))] == list(range(1, 11))


class FullDisk:
    """A data set that cannot be saved."""

    def save(self, path):
        pathlib.Path(path).mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, f"{path}/snapshot; No space left on device")


def test_disk_cache_survives_a_power_failure(tmp_path, monkeypatch):
    record = DiskRecord(monkeypatch)
    disk_cache.CacheOnDisk(str(tmp_path / "cache"))(tf.data.Dataset.range(10))
    assert record.entries[tmp_path]["cache"] == (tmp_path / "cache").stat().st_ino


def test_disk_cache_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(errors.WriteError, match=rf"^cache=disk: {tmp_path}: .*No space left.*--cache=memory"):
        disk_cache.CacheOnDisk(str(tmp_path / "cache"))(FullDisk())
    assert not list(tmp_path.iterdir())


def test_disk_cache_is_refused_at_the_start_on_read_only_media_but_read_where_it_is(tiny_data_dir, monkeypatch):
    config = tiny(tiny_data_dir, cache="disk")
    next(iter(OpenedData(config).train(0)))

    def refuse(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(files, "check_writable", refuse)
    monkeypatch.setattr(prepared, "lock", refuse)
    next(iter(OpenedData(config).train(0)))
    with pytest.raises(errors.BadArgumentError, match=r"^cache=disk: .*--cache=memory"):
        OpenedData(config.replace(split_seed=7)).train_stages(0)
    OpenedData(config.replace(split_seed=7, cache="memory")).train_stages(0)


def test_batch_larger_than_the_split_is_refused(tiny_data_dir):
    config = tiny(tiny_data_dir, batch_size=1501)
    with pytest.raises(errors.BadArgumentError, match="batch_size=1501: expected at most the 1500"):
        OpenedData(config).train(0)


def test_no_holdout_has_no_validation_batches(tiny_data_dir):
    config = tiny(tiny_data_dir, num_validation=0)
    with pytest.raises(errors.BadArgumentError, match="num_validation=0"):
        OpenedData(config).evaluation("validation")


@pytest.mark.parametrize(
    ("expected", "message"),
    [(499, "expected 499 examples, got more"), (501, "expected 501 examples, got 500")],
)
def test_another_number_of_examples_in_memory_is_refused(tiny_data_dir, expected, message):
    examples = stages.Decode(32)(OpenedData(tiny(tiny_data_dir)).read("test"))
    with pytest.raises(errors.FailedError, match=message):
        memory_cache.in_memory(examples, expected)


def test_images_in_memory_are_there_once():
    """Neither joining them nor an iterator that gathers from them holds them once more."""
    count, mib = 100_000, 100_000 * 3072 / 2**20

    def chunk(number):
        labels = tf.fill((1000,), tf.cast(number, tf.int32))
        images = tf.fill((1000, 32, 32, 3), tf.cast(number, tf.uint8))
        return {"image": images, "fine": labels, "coarse": labels}

    before = psutil.Process().memory_info().rss
    cache = memory_cache.CacheInMemory(count, "images", memory_cache.MemoryCache())
    permuted = shuffling.PermutedBatches(count, batch_size=500, seed=0)
    iterator = iter(stages.chain(tf.data.Dataset.range(count // 1000).map(chunk), (cache, permuted)))
    batch = next(iterator)
    assert np.array_equal(batch["image"][:, 0, 0, 0], batch["fine"])
    assert (psutil.Process().memory_info().rss - before) / 2**20 < 1.5 * mib
    assert next(iterator)["image"].shape == (500, 32, 32, 3)


def test_stages_before_a_cache_that_holds_its_examples_are_left_out():
    cache = memory_cache.CacheInMemory(3, "images", memory_cache.MemoryCache())
    chunks = tf.data.Dataset.from_tensors({"fine": [1, 2, 3]})
    (first,) = stages.chain(chunks, (stages.Prefetch(), cache)).as_numpy_iterator()
    (again,) = stages.chain(chunks, (lambda _: pytest.fail("is not needed"), cache)).as_numpy_iterator()
    assert first["fine"].tolist() == again["fine"].tolist() == [1, 2, 3]


def test_stages_are_frozen():
    classes = [one for one in vars(stages).values() if dataclasses.is_dataclass(one)]
    assert len(classes) >= 7
    assert all(one.__dataclass_params__.frozen for one in classes)


def test_examples_that_are_loaded_are_counted(monkeypatch):
    counts = []

    class Task:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def advance(self, count):
            counts.append(count)

    monkeypatch.setattr(memory_cache.progress, "task", lambda *_: Task())
    chunks = tf.data.Dataset.range(10).map(lambda number: {"fine": number}).batch(4)
    memory_cache.in_memory(chunks, 10)
    assert counts == [4, 4, 2]
