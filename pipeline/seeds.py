"""Randomness without state: every draw is named by a path, and follows from the run's seed and that path alone."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

# Named, since TensorFlow's own choice differs between devices and under XLA, and a draw must not.
ALGORITHM = "philox"


def derive(seed: int, *path: str | int) -> tuple[int, int]:
    """The seed of one named draw, as the two int32 values that TensorFlow's stateless operations take.

    `derive(0, "shift")` never changes, on no machine and in no process (BLAKE2b of the seed and the path).
    """
    text = "/".join([str(seed), *map(str, path)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (
        int.from_bytes(digest[:4], "little", signed=True),
        int.from_bytes(digest[4:], "little", signed=True),
    )


def fold(seed: "tuple[int, int] | tf.Tensor", number: "tf.Tensor | int") -> "tf.Tensor":
    """int32 [2]: the seed of the `number`-th draw of a named series (a step, a pass, a place), inside a graph too."""
    import tensorflow as tf

    return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), tf.cast(number, tf.int32), alg=ALGORITHM)
