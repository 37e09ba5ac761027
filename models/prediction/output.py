"""Where rows go: stdout, or a file that appears when all of them are in it. Nothing here loads TensorFlow."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from pipeline.common import files, paths
from pipeline.common.process import streams

Write = Callable[[str], bool]  # False where nobody reads what is written


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
