"""The file of a picture: checked before any work, and written atomically."""

import contextlib
import pathlib
from collections.abc import Iterator

from pipeline.common import errors, files, paths


def picture_path(out: str) -> pathlib.Path:
    """The path of the PNG file `out`; BadArgumentError where it is none or cannot be written."""
    if not out:
        raise errors.BadArgumentError("out is missing: expected a PNG file, such as --out=gallery.png")
    path = paths.local(out, "out")
    if path.suffix.lower() != ".png":
        raise errors.BadArgumentError(f"out={out}: expected a name that ends in .png")
    with files.writing("out", path):
        files.check_writable(path)
    return path


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """As `files.replacing`; the folder is created where missing. Errors as of `files.writing`."""
    with files.writing("out", path):
        files.make_folder(path.parent)
        with files.replacing(path) as temporary:
            yield temporary
