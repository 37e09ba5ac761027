"""The model of a step on several replicas: its arithmetic, by hand."""

import dataclasses

import pytest

from benchmarks.replicas.cost_model import Cluster, Work, efficiency, step_cost

WORK = Work(images=80, image_operations=100.0, optimizer_operations=2000.0, gradient_bytes=400)
ALONE = Cluster("x", 1, 4, operations_per_s=1000.0, link_bytes_per_s=100.0, network_bytes_per_s=10.0, message_s=0.5,
                input_images_per_s=1e9)  # fmt: skip


def on(replicas: int, **values: float) -> Cluster:
    return dataclasses.replace(ALONE, replicas=replicas, **values)


def test_one_replica_computes_everything_and_sends_nothing():
    cost = step_cost(WORK, ALONE)
    assert (cost.compute_s, cost.optimizer_s, cost.all_reduce_s) == (8.0, 2.0, 0.0)
    assert (cost.step_s, cost.images_per_s) == (10.0, 8.0)


def test_replicas_divide_the_images_and_all_make_the_products_of_the_optimizer():
    cost = step_cost(WORK, on(4))
    assert (cost.compute_s, cost.optimizer_s) == (2.0, 2.0)


@pytest.mark.parametrize(("replicas", "bytes_per_s"), [(2, 100.0), (4, 100.0), (8, 10.0)])
def test_ring_carries_each_gradient_twice_over_its_slowest_link(replicas, bytes_per_s):
    others = replicas - 1
    expected = 2 * others / replicas * 400 / bytes_per_s + 2 * others * 0.5
    assert step_cost(WORK, on(replicas)).all_reduce_s == pytest.approx(expected)


def test_network_that_is_faster_than_the_links_in_a_machine_does_not_count():
    assert on(8, network_bytes_per_s=1e9).ring_bytes_per_s == 100.0


@pytest.mark.parametrize(("replicas", "images"), [(1, 80), (2, 80), (4, 80), (8, 40), (16, 20)])
def test_machine_reads_the_images_of_its_own_replicas(replicas, images):
    assert step_cost(WORK, on(replicas, input_images_per_s=1.0)).input_s == images


def test_step_waits_for_its_input_only_where_that_takes_longer():
    assert step_cost(WORK, on(1, input_images_per_s=4.0)).step_s == 20.0
    assert step_cost(WORK, on(1, input_images_per_s=16.0)).step_s == 10.0


def test_larger_batches_make_the_fixed_costs_small():
    free = on(4, message_s=0.0, link_bytes_per_s=1e12)
    assert efficiency(WORK, free) == pytest.approx((80 / 4.0) / 4 / 8.0, rel=1e-6)  # 2 s of compute, 2 of the optimizer
    shares = [efficiency(WORK.times(count), on(4)) for count in (1, 10, 1000)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.01)
