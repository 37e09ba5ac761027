"""Growth is what a process uses after its warm-up, and is noticed."""

import pytest

from tests.faults.soak import Growth, Sample


def growth(kib=0.0, files=0, threads=0) -> Growth:
    """Of thirty samples that grow by so much each."""
    samples = [Sample(1000 + kib * number, 10 + files * number, 5 + threads * number) for number in range(30)]
    return Growth.of("epochs", samples)


def test_growth_is_of_the_samples_after_the_warm_up():
    assert growth(kib=3.0, files=1, threads=2) == Growth("epochs", 30, pytest.approx(3.0), 10, 20)
    warm_up = [Sample(1000 * number, number, number) for number in range(10)]
    assert Growth.of("epochs", warm_up + [Sample(9000, 9, 9)] * 20).is_constant


def test_a_file_that_is_open_or_closed_for_a_moment_is_no_growth():
    opened = [Sample(1000, 10 + (number % 7 == 1), 5) for number in range(30)]
    assert opened[-1].files > opened[10].files
    assert Growth.of("trials", opened).is_constant
    closed = [Sample(1000, 10 - (number == 12), 5) for number in range(30)]
    assert Growth.of("trials", closed).is_constant


@pytest.mark.parametrize("grown", [{"kib": 65.0}, {"files": 1}, {"threads": 1}])
def test_growth_is_noticed(grown):
    assert growth(kib=63.0).is_constant
    assert not growth(**grown).is_constant
