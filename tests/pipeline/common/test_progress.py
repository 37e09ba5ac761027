"""Progress is shown in time, on stderr, and only by programs; the clock is a number."""

import contextlib
import io
import itertools
import threading

import pytest

from pipeline.common import progress


@pytest.fixture
def work(monkeypatch):
    """A task of 100 images that began at 0 s and is under way."""
    task = progress.Task("reading", 100, "images")
    monkeypatch.setattr(progress, "_under_way", [task])
    monkeypatch.setattr(progress, "_latest_line", 0.0)
    return task


ERASE_LINE = "\r\x1b[2K"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_at(view, stream, *times):
    """The times at which a view writes something."""
    sizes = []
    for now in times:
        view.tick(now)
        sizes.append(len(stream.getvalue()))
    return [now for now, before, after in zip(times, [0, *sizes], sizes, strict=False) if after > before]


def test_a_log_gets_the_first_line_before_five_seconds_and_then_fewer_and_fewer(work):
    stream = io.StringIO()
    times = lines_at(progress.Lines(work, stream), stream, *range(200))
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert 0 < times[0] < 5
    assert (gaps, gaps[0], gaps[-1]) == (sorted(gaps), 10, 60)


def test_the_line_has_label_count_elapsed_and_the_time_left_at_the_speed_without_the_first_units(work):
    stream = io.StringIO()
    lines = progress.Lines(work, stream, delay=30.0)
    work.advance(10)
    lines.tick(20.0)  # compiling took that long
    work.advance(40)
    lines.tick(30.0)
    assert stream.getvalue() == "reading: 50 of 100 images, 30 s, about 12 s left\n"


def test_an_outer_task_is_quiet_in_a_log_while_an_inner_one_is_under_way(work):
    progress._under_way.append(progress.Task("decoding"))
    stream = io.StringIO()
    assert not lines_at(progress.Lines(work, stream), stream, 10)
    progress._under_way.pop()
    assert lines_at(progress.Lines(work, stream), stream, 11)


def test_a_bar_appears_after_a_second_and_leaves_nothing(work):
    terminal = Terminal()
    bar = progress.Bar(work, terminal)
    assert lines_at(bar, terminal, 0.5, 2.0) == [2.0]
    assert "0 of 100 images" in terminal.getvalue()
    bar.close()
    assert ERASE_LINE in terminal.getvalue().rpartition("images")[2]


def test_tasks_are_silent_unless_a_program_shows_them(capsys):
    with progress.task("reading", 2, in_background=False) as task:
        task.advance()
    assert capsys.readouterr() == ("", "")
    with progress.shown():
        assert list(progress.track("ab", "reading", 2, "letters", in_background=False)) == ["a", "b"]
    assert capsys.readouterr() == ("", "reading: 0 of 2 letters, 0 s\n")


def test_task_of_a_generator_ends_with_the_error_of_its_consumer():
    threads = threading.active_count()
    images = progress.track("ab", "reading")  # held by a traceback, for example
    with contextlib.suppress(ValueError), progress.shown():
        next(images)
        assert threading.active_count() == threads + 1
        raise ValueError("damaged")
    assert threading.active_count() == threads
