"""The client of the data service: batches that workers make, in the order of their steps.

    steps ──dispatcher──▶ workers: one batch a step ──first come, first served──▶ put in order ──▶ training

A worker gets steps one by one, makes the batch of each from (seed, step), and loses those under way when it is killed.
A batch that does not come while MAX_AHEAD later ones do is made here. Each step therefore has exactly its batch, once,
whatever happens to workers, to the dispatcher and on the way.
"""

import atexit
import contextlib
import dataclasses
import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.python.eager.cancellation import CancellationManager

from pipeline import shuffling, stages
from pipeline.common import errors

Batch: TypeAlias = dict[str, tf.Tensor]
MAX_AHEAD = 64  # batches; a worker has two or three under way
FIRST_SECONDS = 600.0  # until the first batch, for which workers decode all images
SILENT_SECONDS = 60.0  # until a later one; then the training ends
END_SECONDS = 10.0  # the most that the end of a training waits for the thread that receives batches
STEP = "step"  # the column of a batch that has its step


@dataclasses.dataclass(frozen=True)
class ServiceBatches:
    """The batches of all steps from `order.start_step` on, made by the workers of a data service.

    Attributes:
      address: HOST:PORT of the dispatcher.
      order: which examples each batch has.
      fine: int [N], the fine labels of all examples, by which other data on a worker's machine are found out.
      read: returns the chunks of all examples, decoded, in order; called in a worker's graph.
      finish: the last stage of each batch.
      here: a function that makes the batches from a step on in this process.
    """

    address: str
    order: shuffling.PermutedViews
    fine: np.ndarray
    read: Callable[[], tf.data.Dataset]
    finish: Callable[[Batch], Batch]
    here: Callable[[int], tf.data.Dataset]

    def __iter__(self) -> Iterator[Batch]:
        """The batches in order.

        Raises:
          errors.FailedError: no batch comes, the service cannot make one, or its workers have other data.
        """
        received: queue.Queue[tuple[int, Batch] | Exception] = queue.Queue(maxsize=2)
        ended, cancellation = threading.Event(), CancellationManager()
        # A wait for a batch could not be interrupted, nor one for a dispatcher that is not there.
        thread = threading.Thread(target=self._receive, args=(received, ended, cancellation), daemon=True)

        def end() -> None:
            ended.set()
            cancellation.start_cancel()
            thread.join(END_SECONDS)

        thread.start()
        atexit.register(end)  # a thread that comes back from TensorFlow while Python ends would abort the process
        waiting: dict[int, Batch] = {}
        seconds = FIRST_SECONDS
        try:
            for step in itertools.count(self.order.start_step):
                while step not in waiting and len(waiting) < MAX_AHEAD:
                    number, batch = self._next(received, seconds)
                    seconds = SILENT_SECONDS
                    if number >= step:  # else it was made here, and comes late
                        waiting[number] = batch
                yield waiting.pop(step) if step in waiting else next(iter(self.here(step)))
        finally:
            atexit.unregister(end)
            end()

    def _next(self, received: "queue.Queue[tuple[int, Batch] | Exception]", seconds: float) -> tuple[int, Batch]:
        try:
            item = received.get(timeout=seconds)
        except queue.Empty:
            item = errors.FailedError(
                f"data_service={self.address}: no batch has come for {seconds:g} s; start its dispatcher and its "
                "workers, and run the same command again"
            )
        if isinstance(item, Exception):
            raise item
        _, batch = item
        if not np.array_equal(batch["fine"], self.fine[batch["index"].numpy()]):
            raise errors.FailedError(
                f"data_service={self.address}: its workers read other images than this process; let them have the same "
                "--data_dir, at the same path"
            )
        return item

    def _receive(
        self,
        received: "queue.Queue[tuple[int, Batch] | Exception]",
        ended: threading.Event,
        cancellation: CancellationManager,
    ) -> None:
        """Put the batches of the service, or an error, into a queue until its reader has `ended`."""

        def put(item: tuple[int, Batch] | Exception) -> None:
            while not ended.is_set():
                with contextlib.suppress(queue.Full):
                    return received.put(item, timeout=0.1)

        try:
            read = self._reader(cancellation)
            while not ended.is_set():
                batch = read()
                put((int(batch.pop(STEP)), batch))
        except tf.errors.OpError as error:
            put(errors.FailedError(f"data_service={self.address}: {error.message.splitlines()[0]}"))
        except Exception as error:  # the reader's to raise
            put(error)

    def _reader(self, cancellation: CancellationManager) -> Callable[[], Batch]:
        """A function that returns the next one of `_distributed`, or raises an error once it is cancelled."""
        iterator = iter(self._distributed())
        return cancellation.get_cancelable_function(tf.function(lambda: next(iterator)).get_concrete_function())

    def _distributed(self) -> tf.data.Dataset:
        """Batches with their `STEP`, in any order."""
        steps = tf.data.Dataset.range(self.order.start_step, shuffling.ENDLESS)
        spec = self.read().element_spec
        nothing = {name: tf.zeros((0, *column.shape[1:]), column.dtype) for name, column in spec.items()}
        made = steps.scan(nothing, self._batch).prefetch(1)
        service = tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.DYNAMIC,
            f"grpc://{self.address}",
            compression=None,  # of raw pixels, which take longer to compress than to send
        )
        return stages.without_autotune(stages.without_autotune(made).apply(service))

    def _batch(self, examples: Batch, step: tf.Tensor) -> tuple[Batch, Batch]:
        """The examples, which the first call in a worker reads, and the batch of a step."""
        is_first = tf.shape(examples["fine"])[0] == 0
        examples = tf.cond(is_first, self._all_examples, lambda: examples)
        views = self.order.views(step)
        gathered = {name: tf.gather(column, views["index"]) for name, column in examples.items()}
        return examples, self.finish(gathered | views) | {STEP: step}

    def _all_examples(self) -> Batch:
        return self.read().rebatch(self.order.num_examples).get_single_element()
