import errno
import os
import pathlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import images
from tests.pipeline.datasets import image_files
from tests.pipeline.datasets.image_files import REFUSED, USED, exif, saved

TURNED = {  # what is seen of an image with each EXIF orientation
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("kind", USED)
def test_odd_file_is_used(kind, capfd):
    file, pixels, conversions, tolerance = USED[kind]
    decoded = images.decode(file)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == pixels.shape
    assert np.abs(decoded.pixels.astype(int) - pixels).max() <= tolerance
    assert decoded.conversions == conversions
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", REFUSED)
def test_damaged_or_foreign_file_is_refused_in_one_line(kind, capfd):
    file, part = REFUSED[kind]
    with pytest.raises(images.ImageError) as caught:
        images.decode(file)
    reason = str(caught.value)
    assert part in reason
    assert "\n" not in reason
    assert " at 0x" not in reason  # the same on every day
    assert len(reason) < 150
    assert capfd.readouterr() == ("", "")


def test_a_message_of_several_lines_becomes_one(monkeypatch):
    def fail(file, formats):
        raise ValueError("first\nsecond")

    monkeypatch.setattr(PIL.Image, "open", fail)
    with pytest.raises(images.ImageError, match="first second"):
        images.decode(image_files.PNG)


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP"])
def test_every_exif_orientation_is_applied(orientation, name):
    options = {"lossless": True} if name == "WEBP" else {"quality": 100, "subsampling": 0} if name == "JPEG" else {}
    decoded = images.decode(saved(image_files.RED_GREEN_BLUE, name, exif=exif(orientation), **options))
    expected = TURNED[orientation](image_files.RED_GREEN_BLUE)
    np.testing.assert_allclose(decoded.pixels.astype(int), expected, rtol=0, atol=3)
    assert decoded.conversions == ((images.ORIENTATION,) if orientation > 1 else ())


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.sampled_from([used.file for used in USED.values()]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    st.integers(0, 10_000),
)
def test_any_damage_leaves_an_image_or_a_reason(file, changes, cut):
    damaged = bytearray(file[: len(file) - cut % len(file)])
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        pixels = images.decode(bytes(damaged)).pixels
    except images.ImageError as error:
        reason = str(error)
    else:
        reason = "none"
        assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3)
    assert len(reason.splitlines()) == 1


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / os.fsdecode(b"a\n\xff.png")
    path.write_bytes(image_files.PNG)
    (tmp_path / "link.png").symlink_to(path)
    assert images.read(path) == images.read(tmp_path / "link.png") == image_files.PNG


def test_a_file_of_another_size_than_the_system_said_is_read_whole(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(image_files.PNG)
    num_bytes = images.num_bytes(path)
    assert num_bytes == len(image_files.PNG)
    for other in (0, 1, num_bytes - 1, num_bytes + 1):
        assert images.content(path, other) == image_files.PNG
    assert images.read("/proc/self/status").startswith(b"Name:")  # its size is said to be 0


def sparse(path):
    with path.open("wb") as file:
        file.truncate(images.MAX_FILE_BYTES + 1)


UNREADABLE = {
    "missing": (lambda path: None, "No such file"),
    "link to nowhere": (lambda path: path.symlink_to("nowhere"), "No such file"),
    "link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "folder": (pathlib.Path.mkdir, "not a file"),
    "pipe": (os.mkfifo, "not a file"),
    "huge": (sparse, f"{images.MAX_FILE_BYTES:,}"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_file_is_refused(kind, tmp_path):
    make, part = UNREADABLE[kind]
    make(tmp_path / "a.png")
    with pytest.raises(images.ImageError, match=part):
        images.read(tmp_path / "a.png")


def test_a_failing_disk_is_no_fault_of_the_image(tmp_path, monkeypatch):
    def fail(descriptor, count):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (tmp_path / "a.png").write_bytes(image_files.PNG)
    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(OSError, match="Input/output"):
        images.read(tmp_path / "a.png")
