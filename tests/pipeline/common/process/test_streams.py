"""Standard streams that are missing or cannot be written end no work, and no file gets what is printed."""

import os
import pty
import sys
import threading

import pytest

from pipeline.common.process import streams
from tests.pipeline.common.process import stub


def write(tmp_path, redirection):
    done = stub.call("write", tmp_path, "sh", "-c", f'exec "$@" {redirection}', "sh")
    assert (tmp_path / "data").read_text() == "data"
    return done


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full", "2>/dev/full <&-"])
def test_missing_streams_end_no_work(tmp_path, redirection):
    done = write(tmp_path, redirection)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if ">&-" in redirection.replace("2>&-", "") else "printed\n" * 3 + "é\n")


@pytest.mark.parametrize("redirection", [">/dev/full", "1</dev/null"])
def test_stdout_that_cannot_be_written_is_one_line_after_the_work(tmp_path, redirection):
    done = write(tmp_path, redirection)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: stdout: cannot be written (")
    assert "Traceback" not in done.stderr


def test_end_of_a_pipes_reader_is_no_error_of_the_work(tmp_path):
    done = stub.call("write", tmp_path, "sh", "-c", '"$@" | :; exit', "sh")
    assert "error" not in done.stderr
    assert (tmp_path / "data").read_text() == "data"


def test_text_that_the_locale_does_not_have_is_escaped(tmp_path):
    done = stub.call("write", tmp_path, "env", "PYTHONIOENCODING=ascii")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "\\xe9")


def test_stream_that_takes_no_more_for_now_is_waited_for():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    received = []

    def read() -> None:
        with open(reader, "rb") as file:
            received.append(len(file.read()))

    thread = threading.Thread(target=read)
    with streams.writer(writer) as stream:
        thread.start()
        stream.write("x" * 1_000_000)
    thread.join()
    assert received == [1_000_000]


def test_closed_terminal_is_no_error():
    terminal, program = pty.openpty()
    with streams.writer(program) as stream:
        os.close(terminal)
        print("nobody reads it", file=stream, flush=True)
        assert streams.error(stream) is None


def test_streams_that_python_has_not_opened_are(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    streams.open_all()
    print("nobody reads it")
    assert sys.stdin.read() == ""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
