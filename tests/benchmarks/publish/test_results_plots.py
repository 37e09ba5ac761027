"""A plot is drawn of each result that has one."""

from matplotlib.image import imread

from benchmarks.publish import blocks, results_plots
from tests.conftest import ROOT


def row(name, median, unit="images/s", **more):
    return {"name": name, "unit": unit, "median": median, "min": median, "max": median, "repeats": 3, **more}


def test_plots_are_drawn_of_what_has_one(tmp_path):
    memory = [
        row(f"{kind}/peak/{views}", 1000.0 + scale * views, "MiB", predicted=views > 10**6 and scale > 0)
        for kind, scale in (("ours", 0.0), ("peer/study", 0.01))
        for views in (40_000, 600_000, 60_000_000)
    ]
    feeds = [row("ours/train/memory/512", 1e6), row("peer/x", 1e5), row("ours/ceiling/copy", 7e6)]
    documents = {
        **blocks.read_results(ROOT / blocks.RESULTS),
        "memory": {"benchmark": "memory", "rows": memory},
        "input": {"benchmark": "input", "rows": feeds},
    }
    paths = results_plots.draw(documents, tmp_path / "new")
    assert {"memory", "input", "scaling", "train_step"} <= set(paths)
    assert "startup" not in paths
    for path in paths.values():
        assert imread(path).std() > 0.05
