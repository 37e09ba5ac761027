"""The binary that draws accuracy over cost."""

import subprocess
import sys

from tests.conftest import ROOT


def call(code, *flags):
    command = [sys.executable, "-c", code, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


WITHOUT_TENSORFLOW = (
    "import sys; sys.modules.update(tensorflow=None, keras=None); "
    "from benchmarks.publish import accuracy_cost; from pipeline.common import app; "
    "app.run(accuracy_cost.main, accuracy_cost.flags)"
)


def test_binary_draws_the_same_picture_each_time_and_without_tensorflow(tmp_path):
    for name in ("one", "same"):
        done = call(WITHOUT_TENSORFLOW, f"--out={tmp_path / 'new' / name}.png")
        assert done.returncode == 0, done.stderr
    assert done.stdout == f"written: {tmp_path / 'new' / 'same.png'}\n"
    one, same = (tmp_path / "new" / f"{name}.png" for name in ("one", "same"))
    assert one.read_bytes() == same.read_bytes()
    assert len(list(one.parent.iterdir())) == 2


def test_folder_that_is_not_there_is_one_line(tmp_path):
    done = call(WITHOUT_TENSORFLOW, f"--out={tmp_path / 'a.png'}", f"--results_dir={tmp_path / 'none'}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: results_dir=")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
