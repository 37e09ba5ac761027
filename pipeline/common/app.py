"""Runs the binaries: flags, one line for an error, an exit code.

Exit codes: 0 done, 1 failed, 2 bad arguments, 3 interrupted and saved. Only `--verbosity=1` shows a traceback.
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
    """Parse the command line, call `main()`, and end the process with the exit code of its error."""
    logging.set_verbosity(logging.WARNING)  # --verbosity, parsed later, overrides it

    def checked_main(argv: list[str]) -> None:
        if len(argv) > 1:
            raise errors.BadArgumentError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
        main()

    def parse(argv: list[str]) -> list[str]:
        names = {argument.lstrip("-") for argument in argv[1:] if argument.startswith("-")}
        if names & {"help", "h", "helpshort", "helpfull"}:
            _print_help(main.__module__, is_full="helpfull" in names)
            sys.exit(0)
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            _end(2, f"{_in_words(str(error))} (see --help)")

    try:
        app.run(lambda argv: _report_errors(checked_main, argv), flags_parser=parse)
    except BrokenPipeError:  # the reader of our output, such as `head`, has ended
        _discard_stdout()
        sys.exit(1)


def _in_words(message: str) -> str:
    """A message of absl about a flag's value, with Python's part reworded."""
    message = message.replace("invalid literal for int() with base 10", "expected a whole number, got")
    return message.replace("could not convert string to float", "expected a number, got")


def load_tensorflow() -> None:
    """Import TensorFlow and list its devices, without its messages on stderr.

    It prints them before Python can silence it. They are shown with `--verbosity=1`, and where the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    shows_messages = logging.get_verbosity() >= logging.DEBUG
    real_stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()  # without a GPU it prints an error
        except Exception:
            shows_messages = True
            raise
        finally:
            os.dup2(real_stderr, 2)
            os.close(real_stderr)
            if shows_messages:
                messages.seek(0)
                sys.stderr.write(messages.read().decode(errors="replace"))


def _print_help(module: str, is_full: bool) -> None:
    """Print the binary's docstring and flags, which absl's own help lacks for console scripts."""
    if is_full:
        print(inspect.cleandoc(sys.modules[module].__doc__ or ""), "", flags.FLAGS.get_help(), sep="\n", flush=True)
        return
    lines = flag_help.describe(module)
    about = inspect.cleandoc(sys.modules[module].__doc__ or "")
    footer = "--helpfull lists absl's flags too; --verbosity=1 shows tracebacks and TensorFlow's messages."
    print(about, *(["", *lines] if lines else []), "", footer, sep="\n", flush=True)


def _report_errors(main: Callable[[list[str]], None], argv: list[str]) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, until something else handles it
    try:
        main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        _end(1, "interrupted; nothing was saved")
    except Exception as error:  # one line for any error; that of a bug names its class
        if logging.get_verbosity() >= logging.DEBUG:
            traceback.print_exc()
        for kind, code in _EXIT_CODES.items():
            if isinstance(error, kind):
                _end(code, str(error))
        _end(1, f"{type(error).__name__}: {error} (--verbosity=1 shows where)")


def _discard_stdout() -> None:
    """Redirect stdout, which Python flushes once more at its end, to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(code: int, message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    sys.exit(code)
