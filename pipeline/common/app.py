"""How every binary of the project starts and ends: flags, one line for an error, an exit code.

Exit codes: 0 done, 1 failed, 2 bad arguments, 3 interrupted and saved. A traceback is shown with `--verbosity=1` alone.
"""

import inspect
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NoReturn

from absl import app, flags, logging

from pipeline.common import errors, flag_help

_EXIT_CODES = {
    errors.BadArgumentError: 2,
    errors.FailedError: 1,
    errors.InterruptedRunError: 3,
}


def run(main: Callable[[], None]) -> None:
    """Parse the command line, call `main()`, and end the process with the exit code of what it raised."""
    logging.set_verbosity(logging.WARNING)  # --verbosity, parsed later, wins

    def checked_main(argv: list[str]) -> None:
        if len(argv) > 1:
            raise errors.BadArgumentError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
        main()

    def parse(argv: list[str]) -> list[str]:
        given = {argument.lstrip("-") for argument in argv[1:] if argument.startswith("-")}
        if given & {"help", "h", "helpshort", "helpfull"}:
            _print_help(main.__module__, is_full="helpfull" in given)
            sys.exit(0)
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            _end(2, f"{_in_words(str(error))} (see --help)")

    try:
        app.run(lambda argv: _report_errors(checked_main, argv), flags_parser=parse)
    except BrokenPipeError:  # whoever read our output, such as `head`, has seen enough
        _let_go_of_stdout()
        sys.exit(1)


def _in_words(message: str) -> str:
    """What absl says of a flag's value, where it leaves that to Python."""
    for pythons, ours in (
        ("invalid literal for int() with base 10", "expected a whole number, given"),
        ("could not convert string to float", "expected a number, given"),
    ):
        message = message.replace(pythons, ours)
    return message


def load_tensorflow() -> None:
    """Import TensorFlow, and have it look for devices, without its start-up notes.

    It prints them before anything in Python can silence them. They are shown with `--verbosity=1`, and where the import
    fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    shows_notes = logging.get_verbosity() >= logging.DEBUG
    real_stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()  # where there is no GPU it takes that for an error
        except Exception:
            shows_notes = True
            raise
        finally:
            os.dup2(real_stderr, 2)
            os.close(real_stderr)
            if shows_notes:
                notes.seek(0)
                sys.stderr.write(notes.read().decode(errors="replace"))


def _print_help(module: str, is_full: bool) -> None:
    """The binary's docstring and flags; absl's own help knows them only under `python -m`, not as a console script."""
    if is_full:
        print(inspect.cleandoc(sys.modules[module].__doc__ or ""), "", flags.FLAGS.get_help(), sep="\n", flush=True)
        return
    lines = flag_help.describe(module)
    about = inspect.cleandoc(sys.modules[module].__doc__ or "")
    told = ["", *lines] if lines else []
    print(about, *told, "", "--helpfull shows absl's own too; --verbosity=1 tells more.", sep="\n", flush=True)


def _report_errors(main: Callable[[list[str]], None], argv: list[str]) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, where nothing else answers it
    try:
        main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        _end(1, "interrupted; nothing was saved")
    except Exception as error:  # a person gets one line, whatever it was; a bug's has its name in it
        if logging.get_verbosity() >= logging.DEBUG:
            traceback.print_exc()
        for kind, code in _EXIT_CODES.items():
            if isinstance(error, kind):
                _end(code, str(error))
        _end(1, f"{type(error).__name__}: {error} (--verbosity=1 tells where)")


def _let_go_of_stdout() -> None:
    """Python flushes it once more at its end, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(code: int, message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    sys.exit(code)
