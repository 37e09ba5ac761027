"""What fails or comes too late does not end the measurements that follow."""

import pytest
import tensorflow as tf

from benchmarks.gpu.attempts import Attempts
from pipeline.common import errors


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(error: Exception):
    def function() -> None:
        raise error

    return function


def test_what_fails_is_named_with_the_first_line_of_its_error(capsys):
    attempt = Attempts(60.0)
    assert attempt("a", fail(tf.errors.InternalError(None, None, "no algorithm\n\nGraph: ..."))) is None
    assert attempt("b", fail(errors.FailedError("the process died"))) is None
    assert attempt("c", fail(errors.BadArgumentError("cache=device: no room"))) is None
    assert attempt("d", lambda: 4) == 4
    assert attempt.failed == [
        "a: InternalError: no algorithm",
        "b: FailedError: the process died",
        "c: BadArgumentError: cache=device: no room",
    ]
    assert attempt.left_out == []
    assert capsys.readouterr().out.split() == ["a", "b", "c", "d"]


def test_an_error_of_the_code_ends_everything():
    with pytest.raises(KeyError):
        Attempts(60.0)("a", fail(KeyError("a")))


def test_what_would_begin_too_late_is_left_out():
    clock = Clock()
    attempt = Attempts(60.0, clock)
    clock.now = 59.0
    assert attempt("a", lambda: 1) == 1
    clock.now = 60.0
    assert attempt("b", lambda: 2) is None
    assert attempt.left_out == ["b"]
