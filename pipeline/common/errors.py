"""What a person did wrong or the world refused, told in one line: given, expected, what to do."""


class BadArgumentError(ValueError):
    """A flag, a configuration or a file named by one is wrong; the binaries end with exit code 2."""


class FailedError(RuntimeError):
    """The arguments were fine and the work could not be done; the binaries end with exit code 1."""


class DivergedError(FailedError):
    """A training whose numbers are no longer finite; its weights are of no further use."""


class BusyError(FailedError):
    """Another process is working on the very thing."""


class InterruptedRunError(RuntimeError):
    """A run was stopped from outside and its state is saved; the binaries end with exit code 3."""
