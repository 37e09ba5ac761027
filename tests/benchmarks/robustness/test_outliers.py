"""Images that are not of the data set, and what --ood refuses."""

import shutil

import numpy as np
import PIL.Image
import pytest

from benchmarks.robustness import outliers
from pipeline.common import errors
from pipeline.datasets.shapes100.builder import draw_chunk


@pytest.fixture
def folder(tmp_path):
    for value in range(10):
        (tmp_path / "a" / str(value)).mkdir(parents=True)
        PIL.Image.new("RGB", (40, 30), (value, value, value)).save(tmp_path / "a" / str(value) / "one.png")
    return tmp_path


@pytest.mark.parametrize("name", outliers.SOURCES)
def test_sources_have_as_many_images_as_asked(name):
    images = list(outliers.read(name, 24, 600))
    assert len(images) == 600
    assert {(image.shape, image.dtype) for image in images} == {((24, 24, 3), np.dtype(np.uint8))}
    assert len({image.tobytes() for image in images}) == 600
    again = list(outliers.read(name, 24, 2))
    assert np.array_equal(again, images[:2])


def test_shapes_are_those_of_the_generated_test_split():
    assert np.array_equal(next(outliers.read("shapes100", 32, 1)), draw_chunk("test", 0)[1][0])


def test_noise_has_its_distribution():
    uniform = np.stack(list(outliers.read("uniform_noise", 32, 50)))
    assert (uniform.min(), uniform.max()) == (0, 255)
    assert uniform.mean() == pytest.approx(127.5, abs=1)
    assert uniform.std() == pytest.approx(256 / 12**0.5, rel=0.01)
    normal = np.stack(list(outliers.read("normal_noise", 32, 50)))
    assert np.mean(np.abs(normal - 127.5) < 63.75) == pytest.approx(0.683, abs=0.01)


def test_images_of_a_folder_are_spread_over_it(folder):
    name = f"folder:{folder}"
    assert [image[0, 0, 0] for image in outliers.read(name, 8, 5)] == [0, 2, 4, 6, 8]
    assert len(list(outliers.read(name, 8, 99))) == 10
    assert outliers.shown_name(f"folder:{folder}/a") == "folder:a"


def test_bad_files_are_left_out_and_counted(folder, capsys):
    (folder / "a" / "0" / "one.png").write_bytes(b"text")
    assert len(list(outliers.read(f"folder:{folder}", 8, 99))) == 9
    assert "1 file" in capsys.readouterr().err
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(errors.FailedError, match="no image can be decoded"):
        list(outliers.read(f"folder:{folder}", 8, 99))


@pytest.mark.parametrize("name", ["", "noise", "folder:missing", "folder:", "folder:{empty}"])
def test_unknown_names_and_folders_without_images_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.BadArgumentError, match=r"^ood="):
        outliers.check([name.format(empty=tmp_path)])


def test_names_are_given_once():
    outliers.check(["shapes100", "uniform_noise"])
    with pytest.raises(errors.BadArgumentError, match="each one once"):
        outliers.check(["shapes100", "shapes100"])


def test_folders_that_would_be_shown_alike_are_refused(folder):
    for name in ("b", "c"):
        shutil.copytree(folder / "a" / "1", folder / name / "1")
    outliers.check([f"folder:{folder / 'b'}", f"folder:{folder / 'c'}", f"folder:{folder / 'a' / '1'}"])
    with pytest.raises(errors.BadArgumentError, match=r"^ood=.*: folder:1 "):
        outliers.check([f"folder:{folder / 'b' / '1'}", f"folder:{folder / 'c' / '1'}"])
