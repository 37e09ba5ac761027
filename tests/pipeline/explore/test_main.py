"""The binary pipeline.explore."""

import subprocess
import sys

import pytest
from PIL import Image

from pipeline.common import errors
from pipeline.explore import __main__ as explore
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("out", "message"),
    [("", "out is missing"), ("file", "cannot be written"), ("file/deeper", "cannot be written")],
)
def test_wrong_out_is_refused(tmp_path, out, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.BadArgumentError, match=message):
        explore.picture_paths(str(tmp_path / out) if out else out)


def call(*flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pipeline.explore", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_unknown_data_set_is_one_line_before_any_work(tmp_path):
    done = call("--dataset=cifar10", f"--data_dir={tmp_path / 'data'}", f"--out={tmp_path / 'out'}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: dataset='cifar10': expected one of ")
    assert not list(tmp_path.iterdir())


def test_binary_leaves_the_page_and_its_pictures(tiny, tmp_path):
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tiny.data_dir}", "--num_validation=500", "--augmentation=none")
    out = tmp_path / "new" / "folder"
    done = call(*flags, f"--out={out}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"shapes100_tiny: GENERATED, NOT CIFAR-100\nwritten: {out / 'explore.md'}\n"
    pictures = {f"{name}.png" for name in explore.PICTURES}
    assert {path.name for path in out.iterdir()} == {"explore.md", *pictures}
    for name in pictures:
        with Image.open(out / name) as file:
            assert file.format == "PNG"
