"""The binary pipeline.gallery."""

import subprocess
import sys

import pytest
from PIL import Image

from pipeline.common import errors
from pipeline.gallery import picture_file
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("", "out is missing"),
        ("picture.jpg", "expected a name that ends in .png"),
        ("folder.png", "expected a file"),
        ("file/picture.png", "cannot be written"),
        ("file/deeper/picture.png", "cannot be written"),
        ("/proc/picture.png", r"out=/proc/picture.png: cannot be written \("),
    ],
)
def test_wrong_out_is_refused(tmp_path, out, message):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.BadArgumentError, match=message):
        picture_file.picture_path(str(tmp_path / out) if out else out)


def test_wrong_out_is_one_line_before_any_work(tmp_path):
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tmp_path / 'data'}", f"--out={tmp_path / 'picture.gif'}")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.gallery", *flags], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: out=")
    assert not list(tmp_path.iterdir())


def test_binary_leaves_the_picture_and_nothing_else(tiny, tmp_path):
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tiny.data_dir}", "--augmentation=flip_shift", "--columns=2")
    out = tmp_path / "new" / "picture.png"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.gallery", *flags, f"--out={out}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"written: {out}\n"
    assert [path.name for path in out.parent.iterdir()] == ["picture.png"]
    with Image.open(out) as file:
        assert file.format == "PNG"
