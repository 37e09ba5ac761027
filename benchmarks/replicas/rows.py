"""The rows of `benchmarks.replicas`: rates that are measured here, and rates that the cost model projects."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.harness import results
from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.replicas.cases import Division
from benchmarks.replicas.cost_model import Cluster, StepCost, Work, efficiency, step_cost

INPUT = Labels("ours/measured/input", "measured")


def measured(recipe: str, batch_size: int, rates: Mapping[Division, Sequence[float]]) -> Iterator[Row]:
    """The rows of trainings in images/s by division, with the ratio to the first one: the median of the rounds'.

    A division without a rate, whose training failed, has no row.
    """
    plain: Row | None = None
    for division, values in rates.items():
        if not values:
            continue
        name = f"ours/measured/{recipe}/{division.distribute}/{division.processes}"
        labels = Labels(name, "measured", recipe=recipe, batch_size=batch_size)
        row = results.row(labels, "images/s", values, 1, processes=division.processes)
        if plain is None:
            plain, first = row, values
        else:
            ratios = [one / base for one, base in zip(values, first, strict=False)]  # an interrupted round is shorter
            row = row.compared_with(plain, statistics.median(ratios))
        yield row


def of_products(recipe: str, num_workers: int, step_ms: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    """The rows of Muon's products, in ms a step: made by every worker; divided, with the ratio to that."""
    every, divided = (
        results.row(Labels(f"ours/measured/{recipe}/muon_{way}/{num_workers}", "measured", recipe=recipe), "ms", values)
        for way, values in step_ms.items()
    )
    ratios = [one / base for one, base in zip(step_ms["divided"], step_ms["every"], strict=True)]
    yield every
    yield divided.compared_with(every, statistics.median(ratios))


def operations_per_s(work: Work, images_per_s: float) -> float:
    """What a machine sustains that makes the work of a step at this rate."""
    return images_per_s * (work.image_operations + work.optimizer_operations / work.images)


def projected(recipe: str, work: Work, clusters: Sequence[Cluster]) -> Iterator[tuple[Row, StepCost]]:
    """For each cluster the row of the recipe's batch, and of such a batch for each replica, and what a step costs."""
    for cluster in clusters:
        for batch, count in {"batch": 1, "batch_a_replica": cluster.replicas}.items():
            if (batch, count) != ("batch_a_replica", 1):  # the same
                divided = work.times(count)
                cost = step_cost(divided, cluster)
                name = f"ours/projected/{recipe}/{cluster.name}/{batch}"
                labels = Labels(name, "projected", recipe=recipe, batch_size=divided.images)
                share = round(efficiency(divided, cluster), 4)
                more = {"processes": cluster.replicas, "predicted": True, "efficiency": share}
                yield results.row(labels, "images/s", [cost.images_per_s], 1, **more), cost


def lines(costs: Mapping[str, StepCost]) -> Iterator[str]:
    """A line for each projected row: where the time of a step goes."""
    for name, cost in costs.items():
        parts = {"compute": cost.compute_s, "optimizer": cost.optimizer_s, "all-reduce": cost.all_reduce_s}
        times = ", ".join(f"{part} {1e3 * seconds:,.2f} ms" for part, seconds in parts.items())
        yield f"{name}: {times}; beside them input {1e3 * cost.input_s:,.2f} ms"
