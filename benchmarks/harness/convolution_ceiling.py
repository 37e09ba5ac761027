"""The best convolution rate of this machine, which the rate of a training step is a share of.

The best forward rate of `tf.nn.conv2d` over a few large 3 x 3 shapes, nothing else in the graph. A training step can
come near it, not beyond: its kernel gradients, normalisations and activations are slower than these.
"""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from benchmarks.harness import timing
from benchmarks.harness.labels import Labels

KERNEL_SIZE = 3


@dataclasses.dataclass(frozen=True)
class Shape:
    """A convolution: images [batch_size, size, size, channels], kernel [3, 3, channels, filters]."""

    batch_size: int
    size: int
    channels: int
    filters: int

    @property
    def operations(self) -> int:
        """Of one call: two for each multiply-add, padding counted, as `models.reporting.flops` counts."""
        return 2 * self.batch_size * self.size**2 * KERNEL_SIZE**2 * self.channels * self.filters

    def __str__(self) -> str:
        return f"{self.batch_size}x{self.size}x{self.size}x{self.channels} to {self.filters}"


# From many small maps of many channels to few large ones of few: which is best depends on the processor.
SHAPES = (
    Shape(512, 4, 512, 768),
    Shape(512, 8, 256, 512),
    Shape(256, 8, 256, 256),
    Shape(128, 16, 128, 256),
    Shape(128, 32, 64, 128),
)
CHEAP_SHAPES = SHAPES[2:]  # a third of the others' operations each, or less


@dataclasses.dataclass(frozen=True)
class Ceiling:
    """The rate of the best shape, in GFLOP/s a round, and which shape that is."""

    timing: timing.Timing
    shape: Shape

    @property
    def tflops(self) -> float:
        """TFLOP/s, of the best round: other programs on the machine only ever lower it."""
        return max(self.timing.rates) / 1e3


def measure(dtype: str, repeats: int, round_s: float, shapes: Sequence[Shape] = SHAPES) -> Ceiling:
    """The ceiling in "float32", "bfloat16" or "float16"; a shape takes at least `round_s` seconds in a round."""
    cases = [_case(shape, dtype, round_s) for shape in shapes]
    timings = dict(zip(shapes, timing.interleave(cases, repeats).values(), strict=True))
    return best(timings, Labels.of("ours/ceiling/{dtype}", "ceiling", dtype=dtype))


def best(timings: dict[Shape, timing.Timing], labels: Labels) -> Ceiling:
    """The shape with the best round, its FLOP/s as GFLOP/s with these labels."""
    shape, timed = max(timings.items(), key=lambda item: max(item[1].rates))
    rates = tuple(rate / 1e9 for rate in timed.rates)
    return Ceiling(timing.Timing(labels, timed.first_s, rates), shape)


def _case(shape: Shape, dtype: str, round_s: float) -> timing.Case:
    """The case of as many calls as take `round_s`."""
    run = _convolution(shape, dtype)
    run(1)  # traced apart
    num_calls = timing.calls_within(run, round_s)
    return timing.Case(Labels(str(shape), "ceiling"), lambda: run(num_calls), num_calls * shape.operations)


def _convolution(shape: Shape, dtype: str) -> Callable[[int], None]:
    # Small integers, which every dtype holds exactly; zeros could be cheaper than numbers.
    image_shape = [shape.batch_size, shape.size, shape.size, shape.channels]
    images = tf.cast(tf.random.stateless_uniform(image_shape, [0, 1], -4, 5, tf.int32), dtype)
    kernel_shape = [KERNEL_SIZE, KERNEL_SIZE, shape.channels, shape.filters]
    kernel = tf.cast(tf.random.stateless_uniform(kernel_shape, [0, 2], -4, 5, tf.int32), dtype)
    convolved = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME")).get_concrete_function()

    def run(num_calls: int) -> None:
        for _ in range(num_calls):
            outputs = convolved()
        float(outputs[0, 0, 0, 0])  # waits for the device

    return run
