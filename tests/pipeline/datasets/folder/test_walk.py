import os
import pathlib

import pytest

from pipeline.datasets.folder.walk import walk
from tests.pipeline.datasets import image_files


def write(root: pathlib.Path, *paths: str, content: bytes = b"") -> pathlib.Path:
    """Write files of one content; a path that ends with "/" is a folder."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir(exist_ok=True)
        else:
            (root / path).write_bytes(content)
    return root


def test_images_and_folders_are_listed_in_order(tmp_path):
    write(tmp_path, "b/2.png", "b/10.png", "a/x/y.webp", "A/1.jpg", "c/", "z.gif")
    listing = walk(tmp_path)
    assert listing.images == ("A/1.jpg", "a/x/y.webp", "b/10.png", "b/2.png", "z.gif")
    assert listing.folders == ("A", "a", "a/x", "b", "c")
    assert not listing.ignored


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "a.JPG",
        "a.jpeg",
        "a.JPE",
        "a.png",
        "a.webp",
        "a.bmp",
        "a.gif",
        "a.ppm",
        "a b.png",
        "a.b.png",
        "'é\n.png",
    ],
)
def test_names_of_images_are_listed(name, tmp_path):
    assert walk(write(tmp_path, f"a/{name}")).images == (f"a/{name}",)


@pytest.mark.parametrize("suffix", [".heic", ".tif", ".TIFF", ".svg", ".avif"])
def test_photographs_of_other_formats_are_listed_to_be_reported(suffix, tmp_path):
    assert walk(write(tmp_path, f"a/b{suffix}")).images == (f"a/b{suffix}",)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/.DS_Store", "hidden"),
        ("a/._1.jpg", "hidden"),
        (".ipynb_checkpoints/1-checkpoint.png", "hidden"),
        ("__MACOSX/a/1.jpg", "folder of an operating system"),
        ("a/@eaDir/1.jpg", "folder of an operating system"),
        ("a/Thumbs.db", ".db"),
        ("a/desktop.ini", ".ini"),
        ("labels.TXT", ".txt"),
        ("a/1.jpg.json", ".json"),
        ("a/1.jpg~", ".jpg~"),
        ("a/README", "without suffix"),
        ("a/1.\t", "without suffix"),
    ],
)
def test_other_files_are_counted_by_kind(path, kind, tmp_path):
    write(tmp_path, "a/1.png", path)
    listing = walk(tmp_path)
    assert listing.images == ("a/1.png",)
    assert listing.folders == ("a",)
    assert listing.ignored == {kind: 1}


def test_a_file_without_suffix_is_listed_by_its_first_bytes(tmp_path):
    write(tmp_path, "a/0f3c", content=image_files.PNG)
    write(tmp_path, "a/1e77", content=b"P2 is a project\n"[:3])
    write(tmp_path, "a/LICENSE", content=b"Apache License")
    listing = walk(tmp_path)
    assert listing.images == ("a/0f3c", "a/1e77")
    assert listing.ignored == {"without suffix": 1}


def test_links_are_followed_but_not_in_a_circle(tmp_path):
    write(tmp_path, "data/a/1.png", "elsewhere/b/2.png")
    (tmp_path / "data/b").symlink_to("../elsewhere/b")
    (tmp_path / "data/a/2.png").symlink_to("1.png")
    (tmp_path / "data/a/up").symlink_to("..")
    (tmp_path / "elsewhere/b/round").symlink_to("../b")
    listing = walk(tmp_path / "data")
    assert listing.images == ("a/1.png", "a/2.png", "b/2.png")
    assert listing.folders == ("a", "b")
    assert listing.ignored == {"folder linked in a circle": 2}


def test_what_this_project_has_written_there_is_left_out(tmp_path):
    """`cd photos; python -m tuning.study --dataset=folder:.`, and then --refresh."""
    write(tmp_path, "a/1.png", "b/2.png", "b/.lock", "data/.prepare.lock")  # that of b is another program's
    write(tmp_path, *(f"runs/studies/c/{name}" for name in (".lock", "study.json", "plot.png")))
    listing = walk(tmp_path)
    assert listing.images == ("a/1.png", "b/2.png")
    assert listing.folders == ("a", "b")
    assert listing.ignored == {"folder of this project": 2, "hidden": 1}


def test_a_link_to_nowhere_is_listed_to_be_reported(tmp_path):
    write(tmp_path, "a/1.png")
    for name, target in (("gone.png", "nowhere"), ("loop.png", "loop.png"), ("gone.txt", "nowhere")):
        (tmp_path / "a" / name).symlink_to(target)
    listing = walk(tmp_path)
    assert listing.images == ("a/1.png", "a/gone.png", "a/loop.png")
    assert listing.ignored == {".txt": 1}


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "a")
    assert walk(tmp_path).ignored == {"special file": 2}


def test_names_that_are_not_utf8_can_be_opened(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / os.fsdecode(b"\xfe.png")).write_bytes(b"x")
    (path,) = walk(tmp_path).images
    assert (tmp_path / path).read_bytes() == b"x"


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        walk(tmp_path / "gone")
