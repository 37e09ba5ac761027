"""The errors that binaries print as one line: the value, what was expected, what to do."""


class BadArgumentError(ValueError):
    """A flag, a configuration or a file that one names is wrong: exit code 2."""


class FailedError(RuntimeError):
    """The arguments are correct, and the work failed: exit code 1."""


class DivergedError(FailedError):
    """The loss of a training is not finite; its weights are of no use."""


class WriteError(FailedError):
    """A file could not be written: the disk is full or fails. The same command may succeed later."""


class DamagedError(FailedError):
    """A file that this program wrote holds something else now."""


class NewerVersionError(ValueError):
    """A value is of a format that only newer versions know."""


class BusyError(FailedError):
    """Another process works in the same folder."""


class InterruptedRunError(RuntimeError):
    """A signal ended the work, which the same command continues: exit code 3."""


class WorkerLostError(RuntimeError):
    """Another process of a distributed training has ended or cannot be reached: exit code 4."""
