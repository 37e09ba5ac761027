"""Fixtures of the tests of conversions."""

import pytest

from pipeline.datasets.conversion import first_pass, parts


@pytest.fixture
def in_one_process(monkeypatch):
    """Read parts in this process, which takes no time to start."""

    def in_process(source, folder, unfinished, is_own_size):
        for part in unfinished:
            items = list(source.items(part.split, part.begin, part.end))
            yield part, first_pass._write_part(folder, part, items, is_own_size)

    monkeypatch.setattr(first_pass, "_in_processes", in_process)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of 10 images."""
    monkeypatch.setattr(parts, "MAX_ITEMS", 10)
