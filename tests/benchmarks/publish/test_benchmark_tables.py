"""Tables of benchmarks: a row each, in the order of the page, with the figures of the rows."""

import dataclasses

from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.publish import benchmark_tables

HALF, FULL = {"precision": "mixed_bfloat16"}, {"precision": "float32"}
LABELS = {field.name for field in dataclasses.fields(Labels)}


def row(template, kind, median, **more):
    labels = Labels.of(template, kind, **{name: value for name, value in more.items() if name in LABELS})
    figures = {"median": median, "min": 0.9 * median, "max": 1.1 * median, "repeats": 1}
    figures |= {name: value for name, value in more.items() if name not in LABELS}
    return Row(**vars(labels), unit="images/s", **figures).as_json()


def test_training_steps_are_a_row_a_recipe():
    def of(recipe):
        ours, peer, bare = "ours/{recipe}/{precision}", "peer/{peer}/{recipe}/{precision}", "bare"
        half, full = {"recipe": recipe, **HALF}, {"recipe": recipe, **FULL}
        return [
            row(ours, "step", 750.2, **full),
            row(ours, "step", 101.26, **half, ratio=1.5),
            row(ours + "/bare", bare, 110.0, **half, ceiling_share=0.614),
            row(ours + "/waits_for_data", "waits_for_data", 0.24, **half),
            row(peer, "step", 90.0, **half, peer="keras_batch_normalization", ratio=1.125),
            row(peer, bare, 700.0, **full, peer="pytorch", ratio=1.07),
            row(peer, bare, 95.0, **half, peer="pytorch", ratio=0.98),
        ]

    only_one_precision = [row("ours/{recipe}/{precision}", "step", 1.0, recipe="fast", **FULL)]
    lines = benchmark_tables.training_steps({"rows": [*of("tiny"), *of("resnet18"), *only_one_precision]})
    assert lines[2] == "| `tiny` | 750 | 101.3 (1.50x) | 1.07x | 0.98x | 61% | 1.12x | 0.2 % |"
    assert lines[3].startswith("| ResNet-18 | ")
    assert len(lines) == 4


def test_loaders_are_ours_first_then_peers_with_the_ratio_then_ceilings():
    more, train = {"cpu_s_per_million": 1.234, "ceiling_share": 0.25}, "ours/train/{cache}/{batch_size}"
    rows = [
        row("ours/ceiling/{loader}", "ceiling", 8_000_000.0, loader="copy", **more),
        row("peer/{peer}/{loader}", "train", 40_000.0, peer="grain", loader="map_dataset", ratio=50.04, **more),
        row(train, "train", 65_000.0, cache="none", batch_size=512, **more),
        row(train, "train", 2_000_000.0, cache="memory", batch_size=512, **more),
        row(train + "/threads_{threads}", "train", 1.0, cache="memory", batch_size=512, threads=1),
        row("ours/resident/{cache}", "resident", 700.0, cache="none"),
    ]
    lines = benchmark_tables.loaders({"rows": rows})
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| ours, examples cached in memory (`--cache=memory`), batches of 512",
        "| ours, read and decoded every time (`--cache=none`), batches of 512",
        "| Google's Grain",
        "| ceiling: a plain copy of such batches",
    ]
    assert lines[2].endswith("| 2,000,000 | 1,800,000 to 2,200,000 | 1.2 | 25.0% |  |")
    assert lines[4].endswith("| 25.0% | 50.0x |")


def limit(limit_gib, views, images, **peer):
    template = ("peer/{peer}" if peer else "ours") + "/limit_{limit_gib:g}GiB/{views}"
    return row(template, "limit", images, limit_gib=limit_gib, views=views, **peer)


def test_memory_has_what_did_not_fit_and_the_limits():
    rows = [
        row("ours/peak/{views}", "peak", 1100.4, views=40_000) | {"min": 1100.0, "max": 1120.0, "repeats": 3},
        row("ours/peak/{views}", "peak", 1101.0, views=60_000_000),
        row("peer/{peer}/peak/{views}", "peak", 2000.0, peer="study", views=40_000, predicted=False),
        row("peer/{peer}/peak/{views}", "peak", 703125.0, peer="study", views=60_000_000, predicted=True),
        limit(2.0, 60_000_000, 15_360),
        limit(2.0, 40_000, 40_000, peer="study"),
        limit(2.0, 400_000, 0, peer="study"),
        limit(1.0, 60_000_000, 0),
        row("ours/leak", "leak", 8.04, epochs=100, views=4000, median_mib=1234.5) | {"min": -1.0, "max": 20.0},
    ]
    lines = benchmark_tables.memory({"rows": rows})
    assert lines[2] == "| 40,000 | 1,100 (1,100 to 1,120) | 2,000 |"
    assert lines[3] == "| 60,000,000 | 1,101 | 703,125, computed: it does not fit here |"
    two, one, leak = lines[5:]
    for part in ("2 GiB", "15,360 images of an epoch of 60,000,000", "fits for 40,000 and", "not for 400,000"):
        assert part in two
    assert "1 GiB" in one
    assert "dies with 60,000,000; " in one
    for part in ("100 epochs of 4,000 views", "8.0 KiB an epoch", "-1.0 to 20.0", "1,234 MiB"):
        assert part in leak


def test_all_rows_have_the_columns_that_any_row_has_and_the_ratios():
    rows = [
        row("ours/a", "x", 1234.5, tflops=0.12345),
        row("ours/b", "x", 0.5, ratio=2.0, ratio_of=["ours/b", "ours/a"]),
    ]
    lines = benchmark_tables.all_rows({"rows": rows})
    assert lines[0] == "| row | unit | median | min | max | repeats | tflops |"
    assert lines[2:] == [
        "| ours/a | images/s | 1,234 | 1,111 | 1,358 | 1 | 0.1235 |",
        "| ours/b | images/s | 0.5 | 0.45 | 0.55 | 1 |  |",
        "",
        "- 2.00x: ours/b relative to ours/a",
    ]


def test_measured_and_projected_replicas_stand_apart():
    values = {"kind": "x", "repeats": 3, "min": 90.0, "max": 110.0, "recipe": "fast"}
    plain = {"name": "ours/measured/fast/none/1", "unit": "images/s", "median": 100.0, **values}
    divided = {"name": "ours/measured/fast/multi_worker/2", "unit": "images/s", "median": 92.0, "ratio": 0.92, **values}
    computed = {"name": "ours/projected/fast/8_gpus/batch", "unit": "images/s", "median": 5000.0, **values}
    computed |= {"predicted": True, "efficiency": 0.41, "batch_size": 512}
    document = {"rows": [plain, divided, computed]}
    measured = benchmark_tables.measured_replicas(document)
    assert [line.count("100 images/s") + line.count("0.92x") for line in measured[2:]] == [1, 1]
    projected = benchmark_tables.projected_replicas(document)
    assert len(projected) == 3
    assert all(text in projected[2] for text in ("8_gpus", "512", "5,000", "41%"))
