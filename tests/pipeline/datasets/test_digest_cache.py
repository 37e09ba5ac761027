"""The digests that a version folder keeps are those of its files, or none."""

import numpy as np

from pipeline.datasets import digest_cache
from pipeline.datasets.canonical import Digests


def write(folder):
    (folder / "a-train.tfrecord-00000-of-00001").write_bytes(b"records")
    fine = np.arange(3, dtype=np.int32)
    splits = {
        "train": Digests(np.full((3, 32), 7, np.uint8), fine, fine * 2),
        "test": Digests(np.zeros((0, 32)), fine[:0], fine[:0]),
    }
    digest_cache.write(folder, splits)
    return splits


def test_what_was_kept_is_read(tmp_path):
    splits = write(tmp_path)
    found = digest_cache.read(tmp_path)
    assert found is not None
    assert found.keys() == splits.keys()
    for name, split in splits.items():
        for field, array in vars(split).items():
            assert np.array_equal(getattr(found[name], field), array)


def test_nothing_is_read_of_a_folder_without_digests_or_with_other_files(tmp_path):
    assert digest_cache.read(tmp_path) is None
    write(tmp_path)
    (tmp_path / "a-train.tfrecord-00000-of-00001").write_bytes(b"other records")
    assert digest_cache.read(tmp_path) is None


def test_damaged_digests_are_named_and_not_used(tmp_path, capsys):
    write(tmp_path)
    path = tmp_path / digest_cache.FILE
    path.write_bytes(path.read_bytes()[:-100])
    assert digest_cache.read(tmp_path) is None
    assert str(path) in capsys.readouterr().err
