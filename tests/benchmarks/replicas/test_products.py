"""Muon's products in two workers."""

from benchmarks.replicas import products, rows


def test_kernels_are_divided_by_their_work():
    # 8 * 8 * 8, 4 * 4 * 4 and 4 * 4 * 4: the first kernel is more work than all others.
    assert products.owners([(4, 4), (8, 8), (4, 4)], 2) == [1, 0, 1]
    assert products.owners([(64, 8)] * 4, 2) == [0, 1, 0, 1]


def test_two_workers_make_the_products_both_ways():
    step_ms = products.milliseconds([(18, 8), (8, 8)], num_iterations=2, num_workers=2, repeats=2)
    every, divided = rows.of_products("tiny", 2, step_ms)
    assert (every.name, divided.name) == ("ours/measured/tiny/muon_every/2", "ours/measured/tiny/muon_divided/2")
    assert divided.ratio_of == [divided.name, every.name]
    assert all(row.unit == "ms" and row.repeats == 2 and row.min > 0 for row in (every, divided))
