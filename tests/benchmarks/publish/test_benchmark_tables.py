"""Tables of benchmarks: a row each, in the order of the page, with the figures of the rows."""

from benchmarks.publish import benchmark_tables


def row(name, median, **more):
    spread = {"median": median, "min": 0.9 * median, "max": 1.1 * median, "repeats": 1}
    return {"name": name, "unit": "images/s", **spread, **more}


def test_training_steps_are_a_row_a_recipe():
    def of(recipe):
        half = f"{recipe}/mixed_bfloat16"
        return [
            row(f"ours/{recipe}/float32", 750.2),
            row(f"ours/{half}", 101.26, ratio=1.5),
            row(f"ours/{half}/bare", 110.0, ceiling_share=0.614),
            row(f"ours/{half}/waits_for_data", 0.24),
            row(f"peer/keras_batch_normalization/{half}", 90.0, ratio=1.125),
            row(f"peer/pytorch/{recipe}/float32", 700.0, ratio=1.07),
            row(f"peer/pytorch/{half}", 95.0, ratio=0.98),
        ]

    only_one_precision = [row("ours/fast/float32", 1.0)]
    lines = benchmark_tables.training_steps({"rows": [*of("tiny"), *of("resnet18"), *only_one_precision]})
    assert lines[2] == "| `tiny` | 750 | 101.3 (1.50x) | 1.07x | 0.98x | 61% | 1.12x | 0.2 % |"
    assert lines[3].startswith("| ResNet-18 | ")
    assert len(lines) == 4


def test_feeds_are_ours_first_then_peers_with_the_ratio_then_ceilings():
    more = {"cpu_s_per_million": 1.234, "ceiling_share": 0.25}
    rows = [
        row("ours/ceiling/copy", 8_000_000.0, **more),
        row("peer/grain/map_dataset", 40_000.0, ratio=50.04, **more),
        row("ours/train/none/512", 65_000.0, **more),
        row("ours/train/memory/512", 2_000_000.0, **more),
        row("ours/train/memory/512/threads_1", 1.0),
        row("ours/resident/none", 700.0),
    ]
    lines = benchmark_tables.feeds({"rows": rows})
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| ours, examples cached in memory (`--cache=memory`), batches of 512",
        "| ours, read and decoded every time (`--cache=none`), batches of 512",
        "| Google's Grain",
        "| ceiling: a plain copy of such batches",
    ]
    assert lines[2].endswith("| 2,000,000 | 1,800,000 to 2,200,000 | 1.2 | 25.0% |  |")
    assert lines[4].endswith("| 25.0% | 50.0x |")


def test_memory_has_what_did_not_fit_and_the_limits():
    rows = [
        row("ours/peak/40000", 1100.4) | {"min": 1100.0, "max": 1120.0, "repeats": 3},
        row("ours/peak/60000000", 1101.0),
        row("peer/study/peak/40000", 2000.0, predicted=False),
        row("peer/study/peak/60000000", 703125.0, predicted=True),
        row("ours/limit_2GiB/60000000", 15_360),
        row("peer/study/limit_2GiB/40000", 40_000),
        row("peer/study/limit_2GiB/400000", 0),
        row("ours/limit_1GiB/60000000", 0),
        row("ours/leak", 8.04, epochs=100, views=4000, median_mib=1234.5) | {"min": -1.0, "max": 20.0},
    ]
    lines = benchmark_tables.memory({"rows": rows})
    assert lines[2] == "| 40,000 | 1,100 (1,100 to 1,120) | 2,000 |"
    assert lines[3] == "| 60,000,000 | 1,101 | 703,125, computed: it does not fit here |"
    two, one, leak = lines[5:]
    for part in ("2 GiB", "trains on 15,360 of 60,000,000", "holds 40,000 and", "to 400,000"):
        assert part in two
    assert "1 GiB" in one
    assert "dies with 60,000,000." in one
    for part in ("100 epochs of 4,000 views", "8.0 KiB an epoch", "-1.0 to 20.0", "1,234 MiB"):
        assert part in leak


def test_all_rows_have_the_columns_that_any_row_has_and_the_ratios():
    rows = [row("ours/a", 1234.5, tflops=0.12345), row("ours/b", 0.5, ratio=2.0, ratio_of=["ours/b", "ours/a"])]
    lines = benchmark_tables.all_rows({"rows": rows})
    assert lines[0] == "| row | unit | median | min | max | repeats | tflops |"
    assert lines[2:] == [
        "| ours/a | images/s | 1,234 | 1,111 | 1,358 | 1 | 0.1235 |",
        "| ours/b | images/s | 0.5 | 0.45 | 0.55 | 1 |  |",
        "",
        "- 2.00x: ours/b beside ours/a",
    ]
