"""What an evaluation collects beside its metrics: the logits of a split, and single images of it."""

from collections.abc import Collection, Mapping

import numpy as np
import tensorflow as tf

from models.config.training import TrainConfig
from pipeline.batches import EVAL_BATCH_SIZE
from pipeline.datasets.description import Classes

MAX_LOGITS = 2**28  # numbers that are kept in memory, 1 GiB: 26,843 examples of 10,000 classes
Batch = Mapping[str, tf.Tensor]


class Logits:
    """The logits of each head and the labels of each level, of a split's examples in order.

    Of more than MAX_LOGITS logits, those of every `stride`-th example are kept.

    Attributes:
      logits: {head: float32 [N, classes]}.
      labels: {level: int32 [N]}.
    """

    def __init__(self, train: TrainConfig, classes: Classes, num_examples: int) -> None:
        num_logits = sum(classes.counts[head] for head in train.head_names)
        self.stride = max(1, -(-num_examples * num_logits // MAX_LOGITS))
        num_kept = -(-num_examples // self.stride)
        self.logits = {head: np.empty((num_kept, classes.counts[head]), np.float32) for head in train.head_names}
        self.labels = {level: np.empty(num_kept, np.int32) for level in classes.counts}
        self._num_seen = self._num_kept = 0

    def add(self, batch: Batch, logits: Batch) -> None:
        """Keep those of a padded batch; batches come in the order of the split."""
        (rows,) = np.nonzero(batch["mask"].numpy())
        kept = rows[(self._num_seen + np.arange(len(rows))) % self.stride == 0]
        place = slice(self._num_kept, self._num_kept + len(kept))
        for columns, values in ((self.logits, logits), (self.labels, batch)):
            for name, column in columns.items():
                column[place] = values[name].numpy()[kept]
        self._num_seen += len(rows)
        self._num_kept += len(kept)


class Images:
    """The images with given numbers in a split's order, uint8 [S, S, 3]."""

    def __init__(self, numbers: Collection[int]) -> None:
        self.images: dict[int, np.ndarray] = {}
        self._numbers, self._num_seen = sorted(numbers), 0

    def add(self, batch: Batch, _: Batch) -> None:
        """Keep those of a batch of EVAL_BATCH_SIZE; batches come in the order of the split, padded at its end alone."""
        for number in self._numbers:
            if 0 <= number - self._num_seen < EVAL_BATCH_SIZE:
                self.images[number] = batch["image"][number - self._num_seen].numpy()
        self._num_seen += EVAL_BATCH_SIZE
