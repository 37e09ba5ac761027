"""The file that a flag such as --out names, checked before slow work. Nothing here loads TensorFlow."""

import pathlib

from models.runs import folder
from pipeline.common import errors, files, paths
from pipeline.datasets import images


def check(out: str, flag: str = "out") -> pathlib.Path:
    """The path that a flag names; errors.BadArgumentError where it cannot be written, or would take a file's place.

    That file may be one of a run, such as predictions.json, or an image: with `--out photos/*.jpg` the shell makes the
    first photograph the file to write.
    """
    path = paths.local(out, flag)
    if path.name in folder.FILES and (path.parent / "config.json").is_file():
        raise errors.BadArgumentError(f"{flag}={out}: is a file of the run there; choose another --{flag}")
    with files.writing(flag, path):
        files.check_writable(path)
        if not path.exists():
            return path
        with path.open("rb") as file:
            is_image = images.format_name(file.read(images.HEAD_BYTES)) is not None
    if is_image:
        raise errors.BadArgumentError(f"{flag}={out}: is an image, which would be lost; choose another --{flag}")
    return path
