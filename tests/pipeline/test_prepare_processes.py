"""Preparing in processes of their own: the binary, and one that is killed while others wait."""

import contextlib
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from pipeline.datasets import prepared
from tests.conftest import ROOT
from tests.pipeline.datasets import archives, image_files

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
# A whole prepare, with the small data set that the binary itself would refuse.
SMALL_PREPARE = """
import sys
from tests.pipeline.datasets.archives import SMALL
from pipeline import prepare
from pipeline.data_config import SourceConfig
print(prepare.prepare(SourceConfig(data_dir=sys.argv[1], archive=sys.argv[2]), spec=SMALL))
"""
# The same, caught for good in the middle of its training records.
HALF_PREPARE = (
    """
import sys, time
from pipeline.datasets import canonical
examples = canonical.tfds_examples
def half(*arguments, **options):
    for index, pair in enumerate(examples(*arguments, **options)):
        if index == 250:
            print("half way", file=sys.__stdout__, flush=True)
            time.sleep(600)
        yield pair
canonical.tfds_examples = half
"""
    + SMALL_PREPARE
)

OWN_PREPARE = """
from pipeline import prepare
from pipeline.data_config import SourceConfig
print(prepare.prepare(SourceConfig(dataset="folder:photos", data_dir="data")).endswith("photos"))
"""
WORKER = """
import os
from pipeline.common.process.worker_process import Worker
with Worker() as worker:
    worker.submit(os.getpid)
    print(worker.result() != os.getpid())
"""
GUARD = 'if __name__ == "__main__":'


@pytest.fixture
def start():
    """Starts Python with arguments; kills the rest at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start_one(*arguments, cwd=ROOT, **environment):
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                cwd=cwd,
                env=ENVIRONMENT | environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start_one


def write_photos(folder, classes):
    """Write 15 images of each class."""
    for number in range(15 * len(classes)):
        path = folder / classes[number % len(classes)] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_files.saved(image_files.RED_GREEN_BLUE + np.uint8(number), "PNG"))


def test_one_killed_half_way_and_two_at_once_give_one_whole_data_set(archive, tmp_path, start):
    killed = start("-c", HALF_PREPARE, tmp_path, archive)
    assert killed.stdout.readline() == "half way\n"
    assert len(list(tmp_path.glob(".staging-*/cifar100/incomplete*"))) == 1
    both = [start("-c", SMALL_PREPARE, tmp_path, archive) for _ in range(2)]
    for process in both:
        assert any("waiting for another process" in line for line in iter(process.stderr.readline, ""))
    killed.kill()
    killed.wait()
    assert not prepared.is_prepared(tmp_path, "cifar100")
    results = [process.communicate() for process in both]
    assert [(process.returncode, out) for process, (out, _) in zip(both, results, strict=True)] == [
        (0, "cifar100\n")
    ] * 2
    assert sum("is prepared in" in err for _, err in results) == 1
    assert sum("is already prepared in" in err for _, err in results) == 1
    archives.check_prepared(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".prepare.lock", "cifar100"]


def test_the_binary_prints_only_the_name_on_stdout(small_data_dir, start):
    process = start("-m", "pipeline.prepare", "--dataset=auto", f"--data_dir={small_data_dir}")
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "cifar100\n"), err


def test_the_binary_ends_a_bad_archive_with_one_line(tmp_path, start):
    escaping = tarfile.TarInfo("../escaped")
    path = archives.write_tar(tmp_path / "bad.tar.gz", archives.binary_files(), extra=(escaping,))
    process = start("-m", "pipeline.prepare", f"--archive={path}", f"--data_dir={tmp_path / 'data'}", "--dataset=auto")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [err.splitlines()[-1]]
    assert err.splitlines()[-1].startswith(f"error: archive={path}: holds '../escaped', a path that escapes its folder")
    assert not (tmp_path / "data").exists()


def test_importing_prepare_does_not_import_tensorflow():
    code = "import sys; from pipeline import prepare; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("statements", [OWN_PREPARE, WORKER])
def test_a_script_that_starts_processes_is_asked_for_its_guard(statements, tmp_path, start):
    """Each process ran the script, and waited for its parent, which waited for the process."""
    write_photos(tmp_path / "photos", ["a", "b", "c"])
    script = tmp_path / "script.py"
    script.write_text(statements)
    process = start("script.py", cwd=tmp_path)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (1, "")
    assert str(script) in err.splitlines()[-1]
    assert GUARD in err.splitlines()[-1]
    assert err.count("Traceback") == 1
    script.write_text(GUARD + statements.replace("\n", "\n    "))
    process = start("script.py", cwd=tmp_path)
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "True\n"), err


def test_two_processes_prepare_the_same_bytes(tmp_path, start):
    """Protocol Buffers order the features of an example by a hash that differs by process."""
    write_photos(tmp_path / "photos", ["warm/a", "warm/b", "cold/c", "cold/d"])
    not_compared = ("provenance.json", "digests.npz")  # the time of preparation; the times of the files
    written = []
    for number in "01":
        folder = tmp_path / number
        flags = f"--dataset=folder:{tmp_path / 'photos'}", f"--data_dir={folder}"
        process = start("-m", "pipeline.prepare", *flags, PYTHONHASHSEED=number)
        _, err = process.communicate()
        assert process.returncode == 0, err
        paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in not_compared]
        written.append({str(path.relative_to(folder)): path.read_bytes() for path in paths})
    assert any(".tfrecord" in name for name in written[0])
    assert written[0] == written[1]
