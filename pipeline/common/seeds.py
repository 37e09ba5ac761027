"""Stateless random seeds: each draw is a function of the run's seed and the path that names the draw."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

# TensorFlow's default differs between devices. (XLA gives other numbers nevertheless.)
ALGORITHM = "philox"


def derive(seed: int, *path: str | int) -> tuple[int, int]:
    """The seed of a named draw: two int32 values for TensorFlow's stateless operations, the same on every machine."""
    text = "/".join([str(seed), *map(str, path)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little", signed=True), int.from_bytes(digest[4:], "little", signed=True)


def fold(seed: "tuple[int, int] | tf.Tensor", number: "tf.Tensor | int") -> "tf.Tensor":
    """The seed, int32 [2], of draw `number` of a series (of steps, passes, positions); also inside a graph."""
    import tensorflow as tf

    return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), tf.cast(number, tf.int32), alg=ALGORITHM)


def hashed(seed: "tuple[int, int] | tf.Tensor", numbers: "tf.Tensor") -> "tf.Tensor":
    """A hash of each int64 number, int64 [...] from 0 to 2^31 - 1: MurmurHash3's finaliser, per word of the seed."""
    import tensorflow as tf

    mask, value = tf.constant(0xFFFFFFFF, tf.int64), numbers
    for word in tf.unstack(tf.cast(seed, tf.int64), num=2):
        value = tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(value, word), mask)
        for shift, multiplier in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, tf.constant(shift, tf.int64)))
            value = tf.bitwise.bitwise_and(value * multiplier, mask)
    return tf.bitwise.right_shift(value, tf.constant(1, tf.int64))
