"""The folder of a study or of a tuner session, for one process alone."""

import contextlib
import pathlib
from collections.abc import Iterator

from models.runs.folder import RunFolder
from pipeline.common import errors


@contextlib.contextmanager
def claimed(path: pathlib.Path, kind: str) -> Iterator[None]:
    """Make the folder if it is new, and keep other processes out until the context ends.

    Args:
      path: of the folder; its parents are made.
      kind: "study" or "session": the flag is `--KIND_dir`, and a folder that has begun holds KIND.json.

    Raises:
      errors.BadArgumentError: it is a file, or holds something else.
      errors.BusyError: another process is working in it.
      errors.FailedError: it cannot be made.
    """
    _refuse_other_content(path, kind)
    with contextlib.ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(RunFolder(path).locked())
        except OSError as error:
            raise errors.FailedError(
                f"{kind}_dir={path}: cannot be written ({error.strerror}); choose another --{kind}_dir"
            ) from error
        except errors.BusyError as error:
            raise errors.BusyError(f"{kind}_dir={path}: another process is working there") from error
        yield


def _refuse_other_content(path: pathlib.Path, kind: str) -> None:
    if path.exists() and not path.is_dir():
        raise errors.BadArgumentError(f"{kind}_dir={path}: expected a folder, found a file")
    if not path.exists() or (path / f"{kind}.json").exists():
        return
    for entry in path.iterdir():
        if entry.name not in (".lock", f".{kind}.json.partial"):
            raise errors.BadArgumentError(
                f"{kind}_dir={path}: expected a new folder or a {kind}'s, found {entry.name!r}; "
                f"choose another --{kind}_dir"
            )
