"""The held-out split: stratified, streaming, before any shuffle, and the same every time for a seed."""

import contextlib
import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from pipeline import source
from pipeline.common import errors, files, seeds
from pipeline.data_config import DataConfig
from pipeline.datasets import labels, prepared


def keep(part: str, config: DataConfig, builder: source.Builder) -> "KeepPart":
    """The stage that leaves "train" or "validation" of the official training split."""
    # Inside the prepared data set's own folder: whoever removes the data removes what is noted of them.
    name = f"held-out-{config.num_validation}-{config.split_seed}.npy"
    notes = prepared.folder(config.data_dir, config.dataset) / "cache" / name
    num_examples = source.num_examples(builder, "train")
    return KeepPart(part, num_examples, config.num_validation, config.split_seed, str(notes))


def size(config: DataConfig, builder: source.Builder, part: str) -> int:
    """Examples in "train", "validation" or "test"."""
    return source.num_examples(builder, "test") if part == "test" else keep(part, config, builder).size


@dataclasses.dataclass(frozen=True)
class KeepPart:
    """Keep one part of the training split; "train" and "validation" share no example and leave none out.

    Each class gives exactly `num_validation / 100` examples to validation, chosen by selection sampling while the
    stream goes by once (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): of the examples of a class still
    to come, each is taken with probability needed / remaining. Which ones were taken is noted, a byte an example, in
    the file `notes` if there is one: to draw again takes seconds, which every trial of a tuner would spend.
    """

    part: str
    num_examples: int
    num_validation: int
    seed: int
    notes: str = dataclasses.field(default="", repr=False)

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
        """Chunks of the official training split, in its fixed order -> of this part of it, in the same order."""
        if self.num_validation == 0:
            return dataset if self.part == "train" else dataset.take(0)
        is_held_out = self._noted() if self.notes else None
        if is_held_out is None:
            is_held_out = self._drawn(dataset)
            self._note(is_held_out)
        is_kept = tf.constant(is_held_out == (self.part == "validation"))

        def keep_some(place: tf.Tensor, chunk: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            behind = place + tf.shape(chunk["fine"])[0]
            here = is_kept[place:behind]
            return behind, {name: tf.boolean_mask(column, here) for name, column in chunk.items()}

        return dataset.scan(tf.constant(0), keep_some)

    def _drawn(self, dataset: tf.data.Dataset) -> np.ndarray:
        """Whether each example of the stream is held out: bool [N].

        Raises:
          errors.FailedError: the stream has not what it should have.
        """
        seed = seeds.derive(self.seed, "split")
        per_class = [self.num_examples // labels.NUM_FINE, self.num_validation // labels.NUM_FINE]
        start = (tf.constant([per_class] * labels.NUM_FINE, tf.int32), tf.constant(0, tf.int64))

        def decide(state: tuple[tf.Tensor, tf.Tensor], fine: tf.Tensor) -> tuple:
            counts, position = state
            remaining, needed = tf.unstack(counts[fine])
            below = tf.maximum(remaining, 1)  # of a class with too many, which is refused when all are counted
            drawn = tf.random.stateless_uniform(
                [], seeds.fold(seed, position), maxval=below, dtype=tf.int32, alg=seeds.ALGORITHM
            )
            is_held_out = drawn < needed
            counts = tf.tensor_scatter_nd_sub(counts, [[fine]], [[1, tf.cast(is_held_out, tf.int32)]])
            return (counts, position + 1), is_held_out

        decided = dataset.map(lambda chunk: chunk["fine"]).unbatch().scan(start, decide)
        is_held_out = np.concatenate([np.zeros(0, bool), *decided.batch(10_000).as_numpy_iterator()])
        if (len(is_held_out), is_held_out.sum()) != (self.num_examples, self.num_validation):
            raise errors.FailedError(
                f"the training split has {len(is_held_out)} examples, {is_held_out.sum()} of which can be held out; "
                f"expected {self.num_examples} and {self.num_validation}, as many of each class: prepare it again"
            )
        return is_held_out

    def _noted(self) -> np.ndarray | None:
        try:
            found = np.load(self.notes, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        is_whole = found.dtype == bool and found.shape == (self.num_examples,) and found.sum() == self.num_validation
        return found if is_whole else None

    def _note(self, is_held_out: np.ndarray) -> None:
        if not self.notes:
            return
        path = pathlib.Path(self.notes)
        with contextlib.suppress(OSError):  # of data that may only be read: it is drawn again next time
            path.parent.mkdir(exist_ok=True)
            with files.replacing(path) as temporary:
                np.save(temporary, is_held_out, allow_pickle=False)
