"""Runs binaries: parses flags, prints an error as one line, and exits with its code.

Exit codes: 0 done, 1 failed, 2 bad arguments, 3 stopped by a signal, 4 another worker of a distributed training was
lost. `--verbosity=1` shows tracebacks.
"""

import contextlib
import functools
import gc
import importlib.metadata
import inspect
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

from absl import app, flags, logging

from pipeline.common import config, errors, files, flag_help, numbers, paths, progress
from pipeline.common.process import environment, signals, streams, temporary_folder

_EXIT_CODES = {
    errors.BadArgumentError: 2,
    errors.FailedError: 1,
    errors.InterruptedRunError: 3,
    errors.WorkerLostError: 4,
}
_loading = threading.Lock()
DISTRIBUTION = "streaming-cifar100"
MAX_LENGTH = 5000  # characters of an error; a path may have 3,800


class Flags:
    """The flags of one binary: a flag for each field of the classes, and those that it defines by DEFINE_...

    They are absl's global ones only while `run` runs, so that a process can import several binaries, and run one again.

    Attributes:
      arguments: what the command line has beside flags; always () unless the binary `takes_arguments`.
    """

    def __init__(self, *config_classes: type[config.Config], takes_arguments: bool = False) -> None:
        self.values = flags.FlagValues()
        self.takes_arguments = takes_arguments
        self.arguments: tuple[str, ...] = ()
        config.define_flags(self.values, *config_classes)
        self.DEFINE_bool = functools.partial(flags.DEFINE_bool, flag_values=self.values)
        self.DEFINE_enum = functools.partial(flags.DEFINE_enum, flag_values=self.values)
        self.DEFINE_float = functools.partial(numbers.define_float, flag_values=self.values)
        self.DEFINE_integer = functools.partial(numbers.define_integer, flag_values=self.values)
        self.DEFINE_list = functools.partial(flags.DEFINE_list, flag_values=self.values)
        self.DEFINE_path = functools.partial(paths.define_flag, flag_values=self.values)
        self.DEFINE_path_list = functools.partial(paths.define_list_flag, flag_values=self.values)
        self.DEFINE_string = functools.partial(flags.DEFINE_string, flag_values=self.values)

    @contextlib.contextmanager
    def globally(self) -> Iterator[None]:
        """A context in which absl's global flags have these too, at their defaults until they are parsed."""
        for name in self.values:
            self.values[name].unparse()  # as an earlier run in this process left them
        flags.FLAGS.append_flag_values(self.values)
        self.values.mark_as_parsed()
        try:
            yield
        finally:
            flags.FLAGS.remove_flag_values(self.values)


def run(main: Callable[[], None], own: Flags | None = None, work: str = "") -> None:
    """Parse the command line, call `main()`, and exit with the code of its error.

    `own` are the binary's flags. `work` names what it saves at a signal, such as "the training"; the line of a signal
    that came before says so.
    """
    streams.open_all()
    environment.clean()
    own = own or Flags()
    logging.set_verbosity(logging.WARNING)  # the default of --verbosity
    requests = signals.Requests(listen=True, raises=True)

    def parse(argv: list[str]) -> list[str]:
        names = {argument.lstrip("-") for argument in argv[1:] if argument.startswith("-")}
        if names & {"help", "h", "helpshort", "helpfull"}:
            _print_help(main.__module__, own.values, is_full="helpfull" in names)
            sys.exit(0)
        if "version" in names:
            print(DISTRIBUTION, _version(), flush=True)
            sys.exit(0)
        try:
            os.getcwd()
        except FileNotFoundError:
            _end(2, "working folder: it has been removed; change to one that exists")
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            message = str(error).removeprefix("flag --")
            message = message.replace("could not convert string to float", "expected a number, got")
            message = message.replace("invalid literal for int() with base 10", "expected a whole number, got")
            message = re.sub(
                r"\('Non-boolean argument to boolean flag', (.*)\)", r"expected true or false, got \1", message
            )
            _end(2, f"{message} (see --help)")

    try:
        with own.globally(), requests:
            app.run(lambda argv: _report_errors(main, argv, own, requests), flags_parser=parse)
    except KeyboardInterrupt:
        moment = f" while {requests.task}" if requests.task else ""
        moment += f", before {work}" if work and not requests.was_nested else ""
        _end(3, f"interrupted{moment}; what was saved before is kept; run the same command again")
    except SystemExit as end:
        if not end.code:
            _check_stdout()
        raise


def load_tensorflow() -> None:
    """Import TensorFlow and list its devices, with its messages only at `--verbosity=1` or when the import fails.

    TensorFlow prints them to the file descriptor before Python can silence it.
    """
    if multiprocessing.parent_process() is None:  # which has checked
        environment.check_abort()
    with _loading:  # of two threads, the second would take the first one's file for stderr
        _load_tensorflow()


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """A context that imports TensorFlow: collections of garbage pass over its 350,000 objects, then and later.

    They would take a quarter of the import's time, and more whenever Keras or Python collects.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    is_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if is_enabled:
            gc.enable()


def _load_tensorflow() -> None:
    shows_messages = logging.get_verbosity() >= logging.DEBUG
    # Errors that end a command are raised; those that are logged alone are of GPUs and instructions that are not there.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if shows_messages else "3")
    with streams.writer(os.dup(2)) as real_stderr, tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            with progress.task("loading TensorFlow", stream=real_stderr), _without_collections():
                import tensorflow

            tensorflow.config.list_physical_devices()  # prints an error without a GPU
        except Exception:
            shows_messages = True
            raise
        finally:
            os.dup2(real_stderr.fileno(), 2)
            if shows_messages:
                messages.seek(0)
                sys.stderr.write(messages.read().decode(errors="replace"))


def _print_help(module: str, own: flags.FlagValues, is_full: bool) -> None:
    """Print the docstring and the flags of a binary."""
    about = inspect.cleandoc(sys.modules[module].__doc__ or "")
    if is_full:
        print(about, "", flags.FLAGS.get_help(), own.get_help(), sep="\n", flush=True)
        return
    lines = flag_help.describe(module, own)
    footer = "--helpfull lists absl's flags too; --verbosity=1 shows tracebacks and TensorFlow's messages;"
    print(about, *(["", *lines] if lines else []), "", footer, "--version prints the version.", sep="\n", flush=True)


def _version() -> str:
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "(a checkout that is not installed)"


def _report_errors(main: Callable[[], None], argv: list[str], own: Flags, requests: signals.Requests) -> None:
    own.arguments = tuple(argv[1:])
    try:
        with progress.shown():
            if own.arguments and not own.takes_arguments:
                raise errors.BadArgumentError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
            environment.check()
            environment.check_keras_json()
            temporary_folder.use()
            main()
    except Exception as error:
        if logging.get_verbosity() >= logging.DEBUG:
            traceback.print_exc()
        for kind, code in _EXIT_CODES.items():
            if isinstance(error, kind):
                _end(code, str(error))
        if requests.received:  # libraries replace a KeyboardInterrupt during their import by errors of their own
            raise KeyboardInterrupt from error
        hint = "--verbosity=1 shows the traceback"
        if failed := files.os_error(error):
            _end(1, f"{files.described(failed)} ({hint})")
        _end(1, f"{type(error).__name__}: {error} ({hint})")


def _check_stdout() -> None:
    """End with exit code 1 if something that was printed could not be written; the work itself is done."""
    error = streams.error(sys.stdout)
    if isinstance(error, BrokenPipeError):  # the reader of stdout, such as `head`, has ended
        sys.exit(1)
    if error is not None:
        _end(1, f"stdout: cannot be written ({error.strerror}); nothing else is lost")


def _end(code: int, message: str) -> NoReturn:
    line = " ".join(message.split())
    if len(line) > MAX_LENGTH:  # of a value, such as a pasted file
        line = f"{line[: MAX_LENGTH // 2]} ... {line[-MAX_LENGTH // 2 :]}"
    print(f"error: {line}", file=sys.stderr, flush=True)
    sys.exit(code)
