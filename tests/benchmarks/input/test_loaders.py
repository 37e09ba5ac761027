"""A loader is measured from its start to its close."""

import itertools
import weakref

import pytest

from benchmarks.harness.labels import Labels
from benchmarks.input import loaders
from pipeline.common import errors

TEN = Labels("ours/x", "train", batch_size=10)


def test_case_begins_anew_lets_a_pass_go_by_and_times_whole_batches():
    taken = []
    loader = loaders.Loader(TEN, lambda: map(taken.append, itertools.count()))
    case = loader.case(45, passes=2)
    assert case.num_units == 80
    for _ in range(2):
        case.before()
        assert taken == [0, 1, 2, 3]
        case.run()
        assert taken == list(range(12))
        case.after()
        taken.clear()


def test_nothing_of_a_case_is_left_behind_its_turn():
    class Stream:
        """Notices when it goes."""

        def __iter__(self):
            return self

        def __next__(self):
            return None

    streams = []

    def make():
        stream = Stream()
        streams.append(weakref.ref(stream))
        return stream

    case = loaders.Loader(TEN, make).case(100, passes=1)
    case.before()
    case.run()
    assert streams[0]() is not None
    case.after()
    assert streams[0]() is None


def test_loader_that_ends_is_not_measured():
    case = loaders.Loader(TEN, lambda: iter(range(15))).case(100, passes=1)
    case.before()
    with pytest.raises(errors.FailedError, match="ended after 5 of 10 batches"):
        case.run()
