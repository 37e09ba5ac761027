"""A prepared data set appears whole, in a place that is free."""

import os
import shutil

import pytest

from pipeline.common import errors, files
from pipeline.datasets import builtin, prepared
from tests.durable_files import DiskRecord
from tests.pipeline.datasets import archives


def test_a_stale_staging_folder_is_removed_by_the_next_writer(tmp_path):
    archives.write_folder(tmp_path / ".staging-dead" / "cifar100", {"half": b"x"})
    with prepared.lock(tmp_path), prepared.staging(tmp_path) as staged:
        assert sorted(path.name for path in tmp_path.iterdir()) == [".prepare.lock", staged.name]
    assert not prepared.is_prepared(tmp_path, "cifar100")


def test_a_folder_in_the_way_is_named_and_kept(tmp_path):
    mine = archives.write_folder(prepared.folder(tmp_path, "cifar100"), {"notes.txt": b"mine"})
    with prepared.lock(tmp_path), prepared.staging(tmp_path) as staged:
        archives.write_folder(prepared.folder(staged, "cifar100"), {"dataset_info.json": b"{}"})
        with pytest.raises(errors.FailedError, match=r"3\.0\.2 cannot be replaced"):
            prepared.publish(staged, tmp_path, "cifar100", {})
    assert (mine / "notes.txt").read_bytes() == b"mine"


def test_leftovers_beside_a_prepared_data_set_are_removed_unless_somebody_writes(tmp_path):
    cache = archives.write_folder(prepared.folder(tmp_path, "cifar100") / "cache", {"images": b"whole"})
    leftovers = [tmp_path / ".staging-dead", cache / ".images.partial", cache.parent.with_name(".3.0.2.new")]
    for path in leftovers:
        archives.write_folder(path, {"half": b"x"})
    (cache / ".digests.partial.npz").write_bytes(b"half")
    with prepared.lock(tmp_path):
        prepared.sweep(tmp_path, "cifar100")
        assert [path.exists() for path in leftovers] == [True, False, True]
    prepared.sweep(tmp_path, "cifar100")
    assert not any(path.exists() for path in leftovers)
    assert sorted(path.name for path in cache.iterdir()) == [".prepare.lock", "images"]


def test_a_data_set_that_is_put_back_survives_a_power_failure(tmp_path, monkeypatch):
    target = prepared.folder(tmp_path, "folder_pets")
    archives.write_folder(target.with_name(".1.0.0.replaced"), {"dataset_info.json": b"{}"})
    record = DiskRecord(monkeypatch)
    prepared.recover(tmp_path, "folder_pets")
    assert record.entries == {target.parent: {"1.0.0": target.stat().st_ino}}


@pytest.mark.parametrize("has_others", [False, True])
def test_parts_of_a_prepared_data_set_are_removed_unless_they_are_newer(tmp_path, has_others):
    info = archives.write_folder(prepared.folder(tmp_path, "folder_pets"), {"dataset_info.json": b"{}"})
    part = archives.write_folder(prepared.parts_folder(tmp_path, "folder_pets"), {"state.json": b"{}"}) / "state.json"
    if has_others:
        prepared.parts_folder(tmp_path, "folder_cars").mkdir()
    for age, is_kept in ((1, True), (-1, False)):  # of an interrupted conversion that is to replace the data set
        time = (info / "dataset_info.json").stat().st_mtime + age
        os.utime(part, (time, time))
        prepared.sweep(tmp_path, "folder_pets")
        assert part.exists() == is_kept
    assert not part.parent.exists()
    assert part.parents[1].exists() == has_others


def test_a_move_to_a_full_disk_has_its_error(tmp_path, monkeypatch):
    def move(source, target):
        raise shutil.Error([(str(source / "a"), str(target / "a"), f"[Errno 28] No space left on device: '{target}'")])

    monkeypatch.setattr(shutil, "move", move)
    with prepared.lock(tmp_path), prepared.staging(tmp_path) as staged:
        archives.write_folder(prepared.folder(staged, "cifar100"), {"dataset_info.json": b"{}"})
        with pytest.raises(errors.WriteError, match=r"No space left"), files.writing("data_dir", tmp_path):
            prepared.publish(staged, tmp_path, "cifar100", {})


def test_versions_are_those_of_the_builders():
    from tensorflow_datasets.image_classification import cifar

    from pipeline.datasets.shapes100 import builder as shapes100

    builders = [cifar.Cifar100, cifar.Cifar10, shapes100.Shapes100, shapes100.Shapes100Tiny]
    assert {builder.name: str(builder.VERSION) for builder in builders} == builtin.VERSIONS
