"""The held-out split: stratified, streaming, before any shuffle, and the same every time for a seed."""

import dataclasses

import tensorflow as tf

from pipeline import errors, labels, seeds, source
from pipeline.data_config import DataConfig


def keep(part: str, config: DataConfig, builder: source.Builder) -> "KeepPart":
    """The stage that leaves "train" or "validation" of the official training split."""
    return KeepPart(part, source.num_examples(builder, "train"), config.num_validation, config.split_seed)


def size(config: DataConfig, builder: source.Builder, part: str) -> int:
    """Examples in "train", "validation" or "test"."""
    return source.num_examples(builder, "test") if part == "test" else keep(part, config, builder).size


@dataclasses.dataclass(frozen=True)
class KeepPart:
    """Keep one part of the training split; "train" and "validation" share no example and leave none out.

    Each class gives exactly `num_validation / 100` examples to validation, chosen by selection sampling while the
    stream goes by (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): of the examples of a class still to
    come, each is taken with probability needed / remaining. The state is two counts a class, whatever the data's size.
    """

    part: str
    num_examples: int
    num_validation: int
    seed: int

    def __post_init__(self) -> None:
        per_class = self.num_examples // labels.NUM_FINE
        given, expected = f"num_validation={self.num_validation}", f"a multiple of {labels.NUM_FINE}"
        if self.num_validation % labels.NUM_FINE or self.num_validation >= self.num_examples:
            raise errors.BadArgumentError(
                f"{given}: expected {expected} (as many of each class) below the {self.num_examples} of the split, "
                f"which has {per_class} a class"
            )

    @property
    def size(self) -> int:
        """Examples in this part."""
        return self.num_validation if self.part == "validation" else self.num_examples - self.num_validation

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The official training split, in its fixed order -> this part of it, in the same order."""
        if self.num_validation == 0:
            return dataset.take(self.size)
        seed = seeds.derive(self.seed, "split")
        per_class = [self.num_examples // labels.NUM_FINE, self.num_validation // labels.NUM_FINE]
        start = (tf.constant([per_class] * labels.NUM_FINE, tf.int32), tf.constant(0, tf.int64))

        def decide(state: tuple[tf.Tensor, tf.Tensor], example: dict[str, tf.Tensor]) -> tuple:
            counts, position = state
            remaining, needed = tf.unstack(counts[example["fine"]])
            drawn = tf.random.stateless_uniform(
                [], seeds.fold(seed, position), maxval=remaining, dtype=tf.int32, alg=seeds.ALGORITHM
            )
            taken = drawn < needed
            used = [[1, tf.cast(taken, tf.int32)]]
            counts = tf.tensor_scatter_nd_sub(counts, [[example["fine"]]], used)
            return (counts, position + 1), (example, taken == (self.part == "validation"))

        decided = dataset.scan(start, decide).filter(lambda _, kept: kept)
        return decided.map(lambda example, _: example).apply(tf.data.experimental.assert_cardinality(self.size))
