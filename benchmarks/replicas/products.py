"""Muon's matrix products in several workers: made by each of them, or divided among them and summed.

Dividing saves a worker the products of the others' kernels, and costs an all-reduce of all kernels.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.harness import timing
from models.runtime import cluster
from pipeline.common import app, cpu
from pipeline.common.process.worker_process import Worker

ROUND_S = 0.2
Shape = tuple[int, int]  # of a kernel as a matrix: rows and filters


def milliseconds(
    shapes: Sequence[Shape], num_iterations: int, num_workers: int, repeats: int
) -> dict[str, list[float]]:
    """The milliseconds of a step's products in worker 0: `every` worker makes them all, or they are `divided`.

    The workers are processes of this machine, which share its threads.
    """
    threads = max(1, cpu.num_threads() // num_workers)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(Worker(threads=threads)) for _ in range(num_workers)]
        for process, workers in zip(processes, cluster.of_this_machine(num_workers), strict=True):
            process.submit(_in_worker, workers, tuple(shapes), num_iterations, repeats)
        of_chief, *_ = [process.result() for process in processes]
    return of_chief


def owners(shapes: Sequence[Shape], num_workers: int) -> list[int]:
    """The worker of each kernel's products: the most expensive first, each to the worker with the least work."""
    work = [0] * num_workers
    assigned = [0] * len(shapes)
    costs = [rows * filters * min(rows, filters) for rows, filters in shapes]
    for place in sorted(range(len(shapes)), key=lambda place: -costs[place]):
        assigned[place] = work.index(min(work))
        work[assigned[place]] += costs[place]
    return assigned


def _in_worker(
    workers: cluster.Cluster, shapes: Sequence[Shape], num_iterations: int, repeats: int
) -> dict[str, list[float]]:
    """What `milliseconds` returns; all workers make the same calls in turns."""
    os.environ[cluster.VARIABLE] = workers.as_tf_config()
    app.load_tensorflow()
    import tensorflow as tf

    from models.optimizers.muon import orthogonalised
    from models.runtime import replicas

    of_run = replicas.of("multi_worker")
    matrices = [tf.random.stateless_normal(shape, (place, 0)) for place, shape in enumerate(shapes)]
    owned = [owner == workers.index for owner in owners(shapes, len(workers.addresses))]

    def every() -> list[tf.Tensor]:
        return [orthogonalised(matrix, num_iterations) for matrix in matrices]

    def divided() -> list[tf.Tensor]:
        pairs = zip(matrices, owned, strict=True)
        own = [orthogonalised(matrix, num_iterations) if is_own else tf.zeros_like(matrix) for matrix, is_own in pairs]
        return of_run.sum(own)

    def repeated(function: Callable[[], list[tf.Tensor]]) -> Callable[[], None]:
        graph = tf.function(functools.partial(of_run.run, function), autograph=False)

        def run() -> None:
            for _ in range(num_calls):
                results = graph()
            tf.nest.map_structure(lambda result: result.numpy(), results)

        return run

    num_calls = 1
    runs = {"every": repeated(every), "divided": repeated(divided)}
    for run in runs.values():
        run()  # traces
    (seconds,) = of_run.sum_of_workers(np.array([timing.seconds_of(runs["divided"])]))
    num_calls = 1 + int(ROUND_S * len(workers.addresses) / seconds)  # as many in all workers
    call_ms: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            call_ms[name].append(1e3 * timing.seconds_of(run) / num_calls)
    return call_ms
