"""Stages that shuffle the training examples anew in each pass, and number the passes and the examples.

Both orders follow from a seed, so that a resumed run goes on with the batch that it would have had next.
"""

import dataclasses
import functools

import tensorflow as tf

from pipeline import source
from pipeline.common import seeds
from pipeline.stages import without_autotune

ENDLESS = 2**40  # passes; a run ends because the loop stops reading
CHUNKS_AHEAD = 8  # no faster than 4; decoded, they are 1.5 MB
GATHERS_AT_ONCE = 2  # each copies at the rate of one processor


@dataclasses.dataclass(frozen=True)
class PermutedViews:
    """Permutes the indices of all examples anew in each pass.

    The stream is the permutations end to end, cut into full batches: a batch at the end of a pass goes on into the
    next pass. Batch k follows from (seed, k) alone, and starting there costs the same for every k. With `rows`, only
    their images and labels are gathered: the part of one process of several.
    """

    num_examples: int
    batch_size: int
    seed: int
    start_step: int = 0
    rows: range | None = dataclasses.field(default=None, repr=False)

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """All examples, which are not read -> endless batches of int64 [B] `VIEW_KEYS`."""
        first_pass, offset = divmod(self.start_step * self.batch_size, self.num_examples)

        def views(pass_number: tf.Tensor) -> dict[str, tf.Tensor]:
            order = self._permutation(pass_number)
            order = tf.gather(order, tf.range(tf.where(pass_number == first_pass, offset, 0), self.num_examples))
            return {"index": order, "pass_number": tf.fill(tf.shape(order), pass_number)}

        passes = tf.data.Dataset.range(first_pass, ENDLESS).map(views, num_parallel_calls=1)
        return passes.rebatch(self.batch_size, drop_remainder=True)

    def views(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """The batch of int64 [B] `VIEW_KEYS` of one step, as it is in the stream; for batches of at most one pass."""
        places = step * self.batch_size + tf.range(self.batch_size, dtype=tf.int64)
        passes, places = places // self.num_examples, places % self.num_examples
        first, last = self._permutation(passes[0]), lambda: self._permutation(passes[-1])
        later = tf.cond(passes[0] == passes[-1], lambda: first, last)
        index = tf.where(passes == passes[0], tf.gather(first, places), tf.gather(later, places))
        return {"index": index, "pass_number": passes}

    def _permutation(self, pass_number: tf.Tensor) -> tf.Tensor:
        seed = seeds.fold(seeds.derive(self.seed, "shuffle"), pass_number)
        indices = tf.range(self.num_examples, dtype=tf.int64)
        return tf.random.experimental.stateless_shuffle(indices, seed, alg=seeds.ALGORITHM)


class PermutedBatches(PermutedViews):
    """The same with the examples; a batch is one gather, made by one thread, two batches at a time."""

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """One chunk with all examples -> endless batches: its columns [B, ...] and int64 [B] `VIEW_KEYS`."""
        examples = next(iter(without_autotune(dataset)))

        def gathered(views: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            own = views["index"] if self.rows is None else views["index"][self.rows.start : self.rows.stop]
            return {name: tf.gather(column, own) for name, column in examples.items()} | views

        # Threads that share one gather wait for each other longer than each copies.
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1
        gathers = super().__call__(dataset).map(gathered, num_parallel_calls=GATHERS_AT_ONCE, deterministic=True)
        return gathers.with_options(options)


@dataclasses.dataclass(frozen=True)
class WindowShuffledPasses:
    """Repeats the examples without end, shuffled anew in each pass within a window of `buffer` examples.

    The order of pass p follows from (seed, p) alone. The stream begins with example `skipped` of pass `first_pass`.
    """

    buffer: int
    seed: int
    first_pass: int = 0
    skipped: int = 0

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> endless chunks of source.CHUNK, with int64 [C] `VIEW_KEYS`."""
        shuffle_seed = seeds.derive(self.seed, "shuffle")

        def shuffled(pass_number: tf.Tensor) -> tf.data.Dataset:
            seed = tf.bitcast(seeds.fold(shuffle_seed, pass_number), tf.int64)
            # `shuffle` also mixes in the graph's seed, which would come from TensorFlow's global one.
            tf.compat.v1.set_random_seed(1)
            # Reading and selecting the split take at least as long as shuffling, so they get a thread of their own.
            ahead = dataset.prefetch(CHUNKS_AHEAD)
            keyed = ahead.scan(tf.constant(0, tf.int64), functools.partial(_add_view_keys, pass_number))
            return keyed.unbatch().shuffle(self.buffer, seed=seed, reshuffle_each_iteration=False)

        examples = tf.data.Dataset.range(self.first_pass, ENDLESS).flat_map(shuffled).skip(self.skipped)
        return examples.batch(source.CHUNK, drop_remainder=True)


def _add_view_keys(
    pass_number: tf.Tensor, begin: tf.Tensor, chunk: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The index behind the chunk, which begins at `begin`, and the chunk with `VIEW_KEYS`."""
    end = begin + tf.shape(chunk["fine"], tf.int64)[0]
    indices = tf.range(begin, end)
    return end, {**chunk, "index": indices, "pass_number": tf.fill(tf.shape(indices), pass_number)}
