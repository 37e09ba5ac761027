"""Parts are made by several processes; what a killed, failed or damaged one leaves is made again, and nothing else."""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from pipeline.common import cpu, errors
from pipeline.datasets.conversion import first_pass
from pipeline.datasets.conversion.arrangement import arrange
from tests.conftest import ROOT
from tests.pipeline.datasets.conversion.drawn_source import DrawnSource, draw, with_changes

# A first pass of six parts, one of which is never finished as long as its gate is closed.
PASS = """
import pathlib, sys
from pipeline.common import cpu
from pipeline.datasets.conversion import first_pass, parts
from tests.pipeline.datasets.conversion.test_first_pass import source
cpu.count, parts.MAX_ITEMS = lambda: 2, 10
folder = pathlib.Path(sys.argv[1])
first_pass.run(source(folder), folder / "parts" / "pets", "key", 8)
"""


def source(folder):
    """60 drawings, of which the 35th waits for its gate."""
    return DrawnSource({"train": draw("train", 30, 30)}, log=folder / "log", gate=folder / "train_35")


def finished(folder):
    """The numbers of the parts that are finished."""
    return {int(path.name.partition(".")[0]) for path in (folder / "parts" / "pets").glob("*.records.npz")}


@contextlib.contextmanager
def passing(folder):
    """A process that makes all parts but the fourth, and waits."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", PASS, str(folder)], cwd=ROOT, env=environment) as process:
        try:
            while finished(folder) != {0, 1, 2, 4, 5}:
                assert process.poll() is None
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def test_a_killed_pass_takes_its_processes_along_and_is_continued_at_the_part_that_was_not_finished(tmp_path):
    with passing(tmp_path) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(children)
    (tmp_path / "log").unlink()
    (tmp_path / "train_35").touch()
    subprocess.run([sys.executable, "-c", PASS, str(tmp_path)], cwd=ROOT, check=True)
    assert finished(tmp_path) == set(range(6))
    assert sorted((tmp_path / "log").read_text().split()) == [f"train_{number}" for number in range(30, 40)]


def test_an_end_by_a_signal_ends_all_processes_and_keeps_what_is_finished(tmp_path):
    with passing(tmp_path) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait() != 0
        psutil.wait_procs(children)
    assert finished(tmp_path) == {0, 1, 2, 4, 5}


def test_a_process_that_dies_is_one_line_that_names_its_images(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu, "count", lambda: 1)
    drawings = DrawnSource({"train": draw("train", 3, 3)}, gate=tmp_path / "train_2", log=tmp_path / "log")
    with pytest.raises(errors.FailedError, match=r"images 0 to 5 of train: its process was killed by SIGKILL"):
        run_killing_worker(drawings, tmp_path)


def run_killing_worker(drawings, folder):
    """Run a first pass, whose only process is killed when it has loaded an image."""

    def kill():
        while not (folder / "log").exists() or not psutil.Process().children():
            time.sleep(0.01)
        for child in psutil.Process().children():
            if "resource_tracker" not in " ".join(child.cmdline()):
                child.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        first_pass.run(drawings, folder / "parts" / "pets", "key", 8)
    finally:
        thread.join()


def test_what_a_process_raises_is_raised(tmp_path):
    folder = tmp_path / "parts" / "pets"
    with pytest.raises(errors.FailedError, match="RuntimeError: the disk is gone"):
        first_pass.run(RaisingSource({"train": draw("train", 3, 3)}), folder, "key", 8)


class RaisingSource(DrawnSource):
    """A source whose images cannot be read."""

    def _load(self, drawing):
        raise RuntimeError("the disk is gone")


@pytest.mark.usefixtures("in_one_process", "small_parts")
class TestParts:
    """In one process."""

    def test_a_source_with_fewer_items_than_it_said_is_refused(self, tmp_path):
        drawings = DrawnSource({"train": draw("train", 3, 3)})
        shorter = ShorterSource(drawings.drawings)
        with pytest.raises(errors.FailedError, match="train has changed"):
            first_pass.run(shorter, tmp_path / "parts", "key", 8)

    @pytest.mark.parametrize("name", ["00001.images.npy", "00001.records.npz"])
    def test_a_file_that_is_cut_off_is_made_again(self, tmp_path, name):
        log = tmp_path / "log"
        drawings = DrawnSource({"train": draw("train", 15, 15)}, log=log)
        first_pass.run(drawings, tmp_path / "parts", "key", 8)
        path = tmp_path / "parts" / name
        path.write_bytes(path.read_bytes()[:-1])
        log.unlink()
        first_pass.run(drawings, tmp_path / "parts", "key", 8)
        assert log.read_text().split() == [f"train_{number}" for number in range(10, 20)]

    def test_an_image_that_has_changed_on_the_disk_is_noticed_and_made_again(self, tmp_path):
        drawings = DrawnSource({"train": draw("train", 15, 15), "test": draw("test", 2, first_seed=50)})
        folder, parts = first_pass.run(drawings, tmp_path / "parts", "key", 8)
        path = tmp_path / "parts" / "00001.images.npy"
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        arrangement = arrange(folder, parts, drawings.classes)
        with pytest.raises(errors.DamagedError, match=r"00001\.images\.npy"):
            arrangement.images(arrangement.order("train"))
        assert [folder.read(part) is None for part in parts] == [False, True, False, False]
        folder, parts = first_pass.run(drawings, tmp_path / "parts", "key", 8)
        assert arrangement.images(arrangement.order("train")).shape == (30, 8, 8, 3)

    def test_images_come_in_the_order_of_the_places_and_with_their_names(self, tmp_path):
        drawings = DrawnSource({"train": draw("train", 15, 15), "test": draw("test", 8, 4, first_seed=50)})
        folder, parts = first_pass.run(drawings, tmp_path / "parts", "key", 8)
        arrangement = arrange(folder, parts, drawings.classes)
        places = np.random.default_rng(0).permutation(42)[:20]
        by_name = {each.name: each for every in drawings.drawings.values() for each in every}
        names = arrangement.names(places)
        assert len(set(names)) == 20
        expected = np.stack([by_name[name].pixels for name in names])
        assert np.array_equal(arrangement.images(places), expected)
        assert arrangement.digests.fine[places].tolist() == [by_name[name].fine for name in names]

    def test_a_part_of_images_that_cannot_be_used_is_finished_too(self, tmp_path):
        train = with_changes(draw("train", 15, 15), *range(10, 20), problem="is empty")
        folder, parts = first_pass.run(DrawnSource({"train": train}), tmp_path / "parts", "key", 8)
        assert [len(folder.read(part)) for part in parts] == [10, 0, 10]

    def test_a_part_that_does_not_fit_is_reported_with_the_reason(self, tmp_path):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(errors.WriteError, match=rf"images\.npy .*{os.strerror(errno.EFBIG)}"):
                first_pass.run(DrawnSource({"train": draw("train", 15, 15)}), tmp_path / "parts" / "pets", "key", 8)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def test_the_size_of_an_interrupted_pass_is_kept(self, tmp_path):
        train = draw("train", 15, 15)
        log = tmp_path / "log"
        sizes = DrawnSource({"train": with_changes(train, 25, size=(9, 9))}, log=log)
        folder, _ = first_pass.run(sizes, tmp_path / "parts", "key", 0)
        assert folder.image_size == first_pass.SIZE_OF_OTHERS
        log.unlink()
        assert first_pass.run(sizes, tmp_path / "parts", "key", 0)[0] == folder
        assert not log.exists()


class ShorterSource(DrawnSource):
    """A source that has lost its last item."""

    def items(self, split, begin, end):
        return super().items(split, begin, end - 1)
