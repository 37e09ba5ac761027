"""The binary pipeline.gallery."""

import pytest
import tensorflow as tf
from PIL import Image

from pipeline.common import errors
from pipeline.gallery import __main__ as gallery
from pipeline.gallery import picture_file
from tests.binaries import call, call_here


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
    done = call("pipeline.gallery", *flags)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: out=")
    assert not list(tmp_path.iterdir())


def test_binary_leaves_the_picture_and_nothing_else(tiny, tmp_path, monkeypatch, capsys):
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tiny.data_dir}", "--augmentation=flip_shift", "--columns=2")
    out = tmp_path / "new" / "picture.png"
    hidden = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *devices: hidden.append(devices))
    assert call_here(monkeypatch, gallery.main, gallery.flags, *flags, f"--out={out}") == 0
    assert capsys.readouterr().out == f"written: {out}\n"
    assert hidden == [([], "GPU")]
    assert [path.name for path in out.parent.iterdir()] == ["picture.png"]
    with Image.open(out) as file:
        assert file.format == "PNG"
