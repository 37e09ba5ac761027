"""How every binary of the project starts and ends: flags, one line for an error, an exit code.

Exit codes: 0 done, 1 failed, 2 bad arguments, 3 interrupted and saved. A traceback is shown with `--verbosity=1` alone.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from typing import NoReturn

from absl import app, flags, logging

from pipeline import errors

_EXIT_CODES = {
    errors.BadArgumentError: 2,
    errors.FailedError: 1,
    errors.InterruptedRunError: 3,
    KeyboardInterrupt: 3,
}


def run(main: Callable[[], None]) -> None:
    """Parse the command line, call `main()`, and end the process with the exit code of what it raised."""
    logging.set_verbosity(logging.WARNING)  # --verbosity, parsed later, wins

    def checked_main(argv: list[str]) -> None:
        if len(argv) > 1:
            raise errors.BadArgumentError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
        main()

    app.run(lambda argv: _report_errors(checked_main, argv), flags_parser=_parse)


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up notes, which it prints before anything in Python can silence them.

    They are shown with `--verbosity=1`, and where the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    shows_notes = logging.get_verbosity() >= logging.DEBUG
    real_stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            shows_notes = True
            raise
        finally:
            os.dup2(real_stderr, 2)
            os.close(real_stderr)
            if shows_notes:
                notes.seek(0)
                sys.stderr.write(notes.read().decode(errors="replace"))


def _parse(argv: list[str]) -> list[str]:
    try:
        return app.parse_flags_with_usage(argv) if _asks_for_help(argv) else flags.FLAGS(argv)
    except flags.Error as error:
        _end(2, f"{error} (see --help)")


def _asks_for_help(argv: list[str]) -> bool:
    return any(argument.lstrip("-").startswith("help") for argument in argv[1:])


def _report_errors(main: Callable[[list[str]], None], argv: list[str]) -> None:
    try:
        main(argv)
    except tuple(_EXIT_CODES) as error:
        if logging.get_verbosity() >= logging.DEBUG:
            raise
        code = next(code for kind, code in _EXIT_CODES.items() if isinstance(error, kind))
        _end(code, str(error) or "interrupted")


def _end(code: int, message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    sys.exit(code)
