"""The binary pipeline.explore."""

import pytest
import tensorflow as tf
from PIL import Image

from pipeline.common import errors
from pipeline.explore import __main__ as explore
from tests.binaries import call, call_here


@pytest.mark.parametrize(
    ("out", "message"),
    [("", "out is missing"), ("file", "cannot be written"), ("file/deeper", "cannot be written")],
)
def test_wrong_out_is_refused(tmp_path, out, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.BadArgumentError, match=message):
        explore.picture_paths(str(tmp_path / out) if out else out)


def test_unknown_data_set_is_one_line_before_any_work(tmp_path):
    flags = ("--dataset=imagenet", f"--data_dir={tmp_path / 'data'}", f"--out={tmp_path / 'out'}")
    done = call("pipeline.explore", *flags)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: dataset='imagenet': expected one of ")
    assert not list(tmp_path.iterdir())


def test_binary_leaves_the_page_and_its_pictures(tiny, tmp_path, monkeypatch, capsys):
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tiny.data_dir}", "--num_validation=500", "--augmentation=none")
    out = tmp_path / "new" / "folder"
    hidden = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *devices: hidden.append(devices))
    assert call_here(monkeypatch, explore.main, explore.flags, *flags, f"--out={out}") == 0
    written = f"shapes100_tiny: GENERATED, NOT CIFAR-100\nwritten: {out / 'explore.md'}\n"
    assert capsys.readouterr().out == written
    assert hidden == [([], "GPU")]
    pictures = {f"{name}.png" for name in explore.PICTURES}
    assert {path.name for path in out.iterdir()} == {"explore.md", *pictures}
    for name in pictures:
        with Image.open(out / name) as file:
            assert file.format == "PNG"
