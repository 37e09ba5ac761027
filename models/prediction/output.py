"""Where rows go: stdout, or a file that appears when all of them are in it. Nothing here loads TensorFlow."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from pipeline.common import errors, files, paths
from pipeline.common.process import streams

Write = Callable[[str], bool]  # False where nobody reads what is written


def check(out: str, flag: str = "out") -> None:
    """Raise errors.BadArgumentError where the file `out` of a flag cannot be written; "" is none."""
    if not out:
        return
    path = paths.local(out, flag)
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device"
        raise errors.BadArgumentError(f"{flag}={out}: expected a file, got {kind}")
    with files.writing(flag, path):
        files.check_writable(path)


@contextlib.contextmanager
def opened(out: str) -> Iterator[Write]:
    """A context with a function that writes text to the file `out`, or to stdout; errors as of `files.writing`.

    Names of files that are not UTF-8 keep their bytes in a file.
    """
    if not out:
        yield _print
        return
    path = paths.local(out, "out")
    with files.writing("out", path):
        files.make_folder(path.parent)
        with (
            files.replacing(path) as temporary,
            temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
        ):
            yield lambda text: bool(file.write(text)) or True


def _print(text: str) -> bool:
    print(end=text)
    return streams.error(sys.stdout) is None
