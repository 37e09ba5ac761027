"""The replicas of a training: devices that compute a part of each batch, under a strategy of tf.distribute."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2 import CoordinatedJob
from tensorflow.python.eager import context

from models.runtime import cluster
from pipeline.common import errors, progress

# The errors of collective operations one of whose workers has ended, in the order of how often they were seen.
_LOST = (
    *(tf.errors.UnavailableError, tf.errors.InternalError, tf.errors.AbortedError, tf.errors.CancelledError),
    *(tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError),
)
JOIN_SECONDS = 60.0  # for workers that have come; TensorFlow's wait for them heeds no signal, and would take an hour


class Replicas:
    """The replicas of a training; one without a strategy, on the default device.

    Replica r computes the r-th of the equal parts of each batch. All replicas have the same weights at each step. A
    worker is a process; worker 0, the chief, writes the run's folder.

    Attributes:
      count: the replicas of all workers.
      num_workers: the workers, all of which have as many replicas.
      worker: the number of this worker.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, workers: cluster.Cluster | None = None) -> None:
        self._strategy, self._workers = strategy, workers
        self.count = 1 if strategy is None else strategy.num_replicas_in_sync
        self.num_workers, self.worker = (len(workers.addresses), workers.index) if workers else (1, 0)

    @property
    def has_strategy(self) -> bool:
        """Whether the replicas are those of a strategy, also where there is only one."""
        return self._strategy is not None

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the run's folder."""
        return self.worker == 0

    @property
    def num_local(self) -> int:
        """The replicas of this worker."""
        return self.count // self.num_workers

    def rows(self, batch_size: int) -> range:
        """The places of this worker's images in a batch.

        Raises:
          errors.BadArgumentError: replicas cannot have equal parts of a batch.
        """
        cluster.check_parts(batch_size, self.count)
        count = batch_size // self.num_workers
        return range(self.worker * count, (self.worker + 1) * count)

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """A context in which variables are made for each replica."""
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def run(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """The result of a function in each replica of this worker; arguments are alike in all."""
        if self._strategy is None:
            return [function(*arguments)]
        results = self._strategy.run(function, arguments)
        flat = [self._strategy.experimental_local_results(result) for result in tf.nest.flatten(results)]
        return [tf.nest.pack_sequence_as(results, values) for values in zip(*flat, strict=True)]

    def sum(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """In a function of `run`: the sums of tensors over all replicas."""
        return self._reduced(tf.distribute.ReduceOp.SUM, tensors)

    def mean(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """In a function of `run`: the means of tensors over all replicas."""
        return self._reduced(tf.distribute.ReduceOp.MEAN, tensors)

    def _reduced(self, operation: tf.distribute.ReduceOp, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        if self.count == 1 or not tensors:
            return list(tensors)
        # What is read from a variable has no device, which the collective operations of one replica a worker ask for.
        placed = [tf.identity(tensor) for tensor in tensors]
        return list(tf.distribute.get_replica_context().all_reduce(operation, placed))

    def shared(self, stream: tf.data.Dataset) -> tf.data.Dataset:
        """This worker's batches of a split, of which the replicas of all workers take one each in turns.

        Each is a group of as many as this worker has replicas, [replicas, B, ...], the last one perhaps of fewer.
        """
        stream = stream if self.num_workers == 1 else stream.shard(self.num_workers, self.worker)
        return stream if self.num_local == 1 else stream.batch(self.num_local)

    def own(self, group: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """In a function of `run`: the replica's batch of a group; its `mask` is False where there is none."""
        if self.num_local == 1:
            return group
        place = tf.distribute.get_replica_context().replica_id_in_sync_group - self.worker * self.num_local
        count = tf.shape(group["mask"])[0]
        with tf.device("CPU:0"):  # where the group is: only the replica's batch is to move
            batch = {name: values[tf.minimum(place, count - 1)] for name, values in group.items()}
        return {**batch, "mask": batch["mask"] & (place < count)}

    def sum_of_workers(self, values: np.ndarray) -> np.ndarray:
        """The sum of an array over the workers."""
        if self.num_workers == 1:
            return values
        flat = tf.constant(values.ravel())
        return self._sum_of_workers(flat.dtype)(flat).numpy().reshape(values.shape)

    @functools.cache  # noqa: B019, there is one of these objects in a process
    def _sum_of_workers(self, dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
        """The function that sums vectors of a type, of any length: one trace."""

        def summed(values: tf.Tensor) -> tf.Tensor:
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            is_first = number == self.worker * self.num_local  # of the worker's replicas
            return self.sum([tf.where(is_first, values, tf.zeros_like(values))])[0]

        vector = tf.TensorSpec([None], dtype)
        return tf.function(lambda values: self.run(summed, values)[0], input_signature=[vector], autograph=False)

    def any(self, flag: bool) -> bool:
        """Whether the flag of a worker is set."""
        return bool(self.sum_of_workers(np.array([int(flag)], np.int32))[0])

    def of_chief(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The chief's arrays, to the last bit; the others' have the same shapes and types."""
        if self.num_workers == 1:
            return list(values)
        parts = [np.frombuffer(value.tobytes() + b"\0" * (-value.nbytes % 4), np.int32) for value in values]
        flat = np.concatenate(parts)  # whole numbers: a sum of floats with 0 would change -0.0
        flat = self.sum_of_workers(flat if self.is_chief else np.zeros_like(flat))
        ends = np.cumsum([part.size for part in parts])
        return [
            np.frombuffer(flat[end - part.size : end].tobytes()[: value.nbytes], value.dtype).reshape(value.shape)
            for value, part, end in zip(values, parts, ends, strict=True)
        ]

    def text_of_chief(self, text: str) -> str:
        """The chief's text."""
        data = text.encode()
        (size,) = self.of_chief([np.array([len(data)], np.int64)])
        data = data if self.is_chief else bytes(int(size[0]))
        return self.of_chief([np.frombuffer(data, np.uint8)])[0].tobytes().decode() if size[0] else ""

    @contextlib.contextmanager
    def losing(self) -> Iterator[None]:
        """A context in which the error of a lost worker becomes errors.WorkerLostError, which names it.

        Where all other workers answer, the error is this one's own, and passes.
        """
        try:
            yield
        except _LOST as error:
            name = self._workers.lost(str(error)) if self._workers else ""
            if not name:
                raise
            raise errors.WorkerLostError(
                f"lost {name}; the last checkpoint is kept: run the same command again on all workers"
            ) from error


def of(distribute: str) -> Replicas:
    """The replicas of a value of `TrainConfig.distribute`.

    Raises:
      errors.BadArgumentError: `multi_worker` has no cluster, or TensorFlow has computed in this process before.
    """
    if distribute == "none":
        return Replicas()
    if distribute == "multi_worker":
        return _of_cluster(cluster.from_environment())
    return _of_this_process()


@functools.cache  # the numbers of the collective operations of two strategies would clash
def _of_this_process() -> Replicas:
    """A replica for each GPU that TensorFlow sees; without any, for each of its logical CPU devices."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return Replicas(tf.distribute.MirroredStrategy([device.name for device in devices]))


@functools.cache  # TensorFlow joins a cluster once a process
def _of_cluster(workers: cluster.Cluster) -> Replicas:
    """The replicas of a cluster; waits for its other workers."""
    workers.meet()
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(workers.addresses)}),
        task_type="worker",
        task_id=workers.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    _limit_joining(len(workers.addresses))
    with progress.task("waiting for the other workers"):
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
        except RuntimeError as error:  # the context of TensorFlow has begun
            raise errors.BadArgumentError(
                "distribute=multi_worker: expected to train before TensorFlow computes anything in this process"
            ) from error
        except _LOST as error:
            name = workers.lost(str(error))
            if not name:
                raise
            raise errors.WorkerLostError(f"no contact with {name}: start the same command on all workers") from error
    workers.close_to_others()
    return Replicas(strategy, workers)


def _limit_joining(num_workers: int) -> None:
    """Have TensorFlow wait JOIN_SECONDS for the other workers, beside what MultiWorkerMirroredStrategy configures."""
    runtime = context.context()
    runtime.configure_coordination_service(
        "standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=round(JOIN_SECONDS * 1000),
        coordinated_jobs=[CoordinatedJob(name="worker", num_tasks=num_workers)],
    )
    runtime.coordination_service.cluster_register_with_barrier = True  # else the wait is a later one, without a limit
