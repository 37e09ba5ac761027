"""Stateless randomness: every draw is named by a path, and is a function of the run's seed and that path."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

# Explicit, since TensorFlow's default differs between devices. (XLA gives other numbers nevertheless.)
ALGORITHM = "philox"


def derive(seed: int, *path: str | int) -> tuple[int, int]:
    """The seed of a named draw, as the two int32 values of TensorFlow's stateless operations.

    `derive(0, "shift")` is the same on every machine and in every process (BLAKE2b of the seed and the path).
    """
    text = "/".join([str(seed), *map(str, path)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little", signed=True), int.from_bytes(digest[4:], "little", signed=True)


def fold(seed: "tuple[int, int] | tf.Tensor", number: "tf.Tensor | int") -> "tf.Tensor":
    """int32 [2]: the seed of draw `number` of a named series (of steps, passes, places); works inside a graph."""
    import tensorflow as tf

    return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), tf.cast(number, tf.int32), alg=ALGORITHM)


def hashed(seed: "tuple[int, int] | tf.Tensor", numbers: "tf.Tensor") -> "tf.Tensor":
    """int64 [...], 0 to 2^31 - 1: a hash of each int64 number, independent of its place in the tensor.

    MurmurHash3's finaliser, once for each word of the seed.
    """
    import tensorflow as tf

    mask, value = tf.constant(0xFFFFFFFF, tf.int64), numbers
    for word in tf.unstack(tf.cast(seed, tf.int64), num=2):
        value = tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(value, word), mask)
        for shift, multiplier in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, tf.constant(shift, tf.int64)))
            value = tf.bitwise.bitwise_and(value * multiplier, mask)
    return tf.bitwise.right_shift(value, tf.constant(1, tf.int64))
