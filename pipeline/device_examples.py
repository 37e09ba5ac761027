"""Examples that stay on the device that computes: the graph of a step gathers its batch there.

TensorFlow gathers no uint8 on GPUs, and a function takes int32 from the host's memory. Images are therefore stored as
int64 words, each image padded to whole words. On CPUs images of whole words share the memory that they were read into.
"""

import dataclasses
import math

import tensorflow as tf

from pipeline.common import errors

WORD = tf.int64.size  # bytes


@dataclasses.dataclass(frozen=True)
class DeviceExamples:
    """Columns of examples on a device.

    Attributes:
      words: the columns as int64: images [N, W], labels [N].
      rows: the form of a row of each column.
    """

    words: dict[str, tf.Tensor]
    rows: dict[str, tf.TensorSpec]

    @classmethod
    def of(cls, columns: dict[str, tf.Tensor], device: str = "") -> "DeviceExamples":
        """Columns [N, ...] of the host, on `device` ("/GPU:0"), or where they are on "", which is the host.

        Raises:
          errors.BadArgumentError: they do not fit into the device's memory.
        """
        with tf.device("/CPU:0"):
            words = {name: _words(column) for name, column in columns.items()}
        if device:
            try:
                with tf.device(device):
                    words = {name: tf.identity(column) for name, column in words.items()}
            except tf.errors.ResourceExhaustedError as error:
                needed = sum(math.prod(column.shape) * WORD for column in words.values())
                raise errors.BadArgumentError(
                    f"cache=device: the images take {needed / 2**30:,.1f} GiB, which {device} does not have free; set "
                    "--cache=memory"
                ) from error
        rows = {name: tf.TensorSpec(column.shape[1:], column.dtype) for name, column in columns.items()}
        return cls(words, rows)

    def gather(self, indices: tf.Tensor) -> dict[str, tf.Tensor]:
        """The rows at int64 `indices` [B]: columns [B, ...]."""
        return {name: _rows(tf.gather(words, indices), self.rows[name]) for name, words in self.words.items()}


def _words(column: tf.Tensor) -> tf.Tensor:
    """Images uint8 [N, ...] as int64 [N, W], labels [N] as int64 [N]."""
    if column.dtype != tf.uint8:
        return tf.cast(column, tf.int64)
    flat = tf.reshape(column, (column.shape[0], -1))
    if padding := -flat.shape[1] % WORD:
        flat = tf.pad(flat, ((0, 0), (0, padding)))
    return tf.bitcast(tf.reshape(flat, (column.shape[0], -1, WORD)), tf.int64)


def _rows(words: tf.Tensor, row: tf.TensorSpec) -> tf.Tensor:
    """The rows [B, ...] that `_words` were made of."""
    if row.dtype != tf.uint8:
        return tf.cast(words, row.dtype)
    count, num_bytes = words.shape[0] or tf.shape(words)[0], row.shape.num_elements()
    flat = tf.reshape(tf.bitcast(words, tf.uint8), (count, words.shape[1] * WORD))
    return tf.reshape(flat[:, :num_bytes] if num_bytes % WORD else flat, (count, *row.shape))
