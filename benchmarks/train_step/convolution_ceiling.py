"""How fast this machine convolves at its best: what a training step's own rate is a share of.

The best forward rate of `tf.nn.conv2d` over a few large 3 x 3 shapes, nothing else in the graph. A training step can
come near it, not beyond: its kernel gradients, normalisations and activations are slower than these.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from benchmarks.harness import timing

KERNEL_SIZE = 3
MAX_CALLS = 4096


@dataclasses.dataclass(frozen=True)
class Shape:
    """A convolution: images [batch_size, size, size, channels], kernel [3, 3, channels, filters]."""

    batch_size: int
    size: int
    channels: int
    filters: int

    @property
    def operations(self) -> int:
        """Of one call: two a multiply-add, borders counted as whole, as `models.reporting.flops` counts them."""
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
    """The ceiling in `dtype`.

    Args:
      dtype: "float32", "bfloat16" or "float16".
      repeats: rounds, interleaved.
      round_s: seconds that a shape takes in a round at least.
      shapes: to try.
    """
    sides = [_side(shape, dtype, round_s) for shape in shapes]
    return best(dict(zip(shapes, timing.interleave(sides, repeats).values(), strict=True)), f"ours/ceiling/{dtype}")


def best(timings: dict[Shape, timing.Timing], name: str) -> Ceiling:
    """The shape with the best round, its FLOP/s told as GFLOP/s under `name`."""
    shape, timed = max(timings.items(), key=lambda item: max(item[1].rates))
    rates = tuple(rate / 1e9 for rate in timed.rates)
    return Ceiling(timing.Timing(name, timed.first_s, rates), shape)


def _side(shape: Shape, dtype: str, round_s: float) -> timing.Side:
    """As many calls as take `round_s`."""
    run = _convolution(shape, dtype)
    run(1)  # traced apart
    num_calls = 1
    while (spent := _seconds(run, num_calls)) < round_s and num_calls < MAX_CALLS:
        num_calls = min(math.ceil(num_calls * min(1.2 * round_s / spent, 8.0)), MAX_CALLS)
    return timing.Side(str(shape), lambda: run(num_calls), num_calls * shape.operations)


def _convolution(shape: Shape, dtype: str) -> Callable[[int], None]:
    # Small integers, which every dtype holds exactly; zeros could be cheaper than numbers.
    images = tf.cast(tf.random.stateless_uniform(_image_shape(shape), [0, 1], -4, 5, tf.int32), dtype)
    kernel_shape = [KERNEL_SIZE, KERNEL_SIZE, shape.channels, shape.filters]
    kernel = tf.cast(tf.random.stateless_uniform(kernel_shape, [0, 2], -4, 5, tf.int32), dtype)
    convolved = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME")).get_concrete_function()

    def run(num_calls: int) -> None:
        for _ in range(num_calls):
            answer = convolved()
        float(answer[0, 0, 0, 0])  # waits for the device

    return run


def _image_shape(shape: Shape) -> list[int]:
    return [shape.batch_size, shape.size, shape.size, shape.channels]


def _seconds(run: Callable[[int], None], num_calls: int) -> float:
    started = time.perf_counter()
    run(num_calls)
    return time.perf_counter() - started
