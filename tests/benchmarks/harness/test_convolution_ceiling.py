"""The ceiling's arithmetic; nothing here depends on how fast anything is."""

import pytest

from benchmarks.harness import convolution_ceiling, timing
from benchmarks.harness.convolution_ceiling import Shape
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Timing

CEILING = Labels.of("ours/ceiling/{dtype}", "ceiling", dtype="bfloat16")


def test_operations_are_two_a_multiply_add():
    assert Shape(batch_size=5, size=4, channels=2, filters=3).operations == 2 * 5 * 16 * 9 * 2 * 3


def test_cheap_shapes_take_a_third_of_the_others_operations_at_most():
    cheap = convolution_ceiling.CHEAP_SHAPES
    others = set(convolution_ceiling.SHAPES) - set(cheap)
    assert 0 < 3 * max(shape.operations for shape in cheap) <= min(shape.operations for shape in others)


def test_ceiling_is_the_best_round_of_the_best_shape():
    slow, fast = Shape(1, 2, 3, 4), Shape(5, 6, 7, 8)
    timings = {
        slow: Timing(Labels("a", "ceiling"), 1.0, (5e9, 6e9, 5e9)),
        fast: Timing(Labels("b", "ceiling"), 2.0, (4e9, 7e9, 3e9)),
    }
    found = convolution_ceiling.best(timings, CEILING)
    assert found.shape == fast
    assert found.timing == Timing(CEILING, 2.0, (4.0, 7.0, 3.0))  # GFLOP/s
    assert found.tflops == pytest.approx(0.007)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_shape_is_measured_in_every_round(dtype, monkeypatch):
    calls = []
    shapes = [Shape(2, 4, 3, 5), Shape(1, 8, 3, 5)]
    convolution = convolution_ceiling._convolution

    def counted(shape, given):
        run = convolution(shape, given)

        def wrapped(num_calls):
            calls.append((shape, given, num_calls))
            run(num_calls)

        return wrapped

    monkeypatch.setattr(convolution_ceiling, "_convolution", counted)
    found = convolution_ceiling.measure(dtype, repeats=2, round_s=1e-9, shapes=shapes)
    assert found.timing.name == f"ours/ceiling/{dtype}"
    assert len(found.timing.rates) == 2
    assert [call[:2] for call in calls[-4:]] == [(shape, dtype) for shape in shapes] * 2
    assert {num_calls for *_, num_calls in calls} == {1}  # as one takes longer than the round


def test_round_takes_as_many_calls_as_it_needs(monkeypatch):
    asked = []
    monkeypatch.setattr(convolution_ceiling, "_convolution", lambda shape, dtype: asked.append)
    case = convolution_ceiling._case(Shape(1, 2, 3, 4), "float32", round_s=1e9)
    assert asked[:4] == [1, 1, 8, 64]  # traced apart, then eight times as many until a round is full
    assert case.num_units == timing.MAX_CALLS * Shape(1, 2, 3, 4).operations
    case.run()
    assert asked[-1] == timing.MAX_CALLS
