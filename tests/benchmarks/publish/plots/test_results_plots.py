"""A plot is drawn of each result that has one."""

from matplotlib.image import imread

from benchmarks.harness import results
from benchmarks.harness.labels import Labels
from benchmarks.publish import blocks
from benchmarks.publish.plots import results_plots
from tests.benchmarks.publish.profile_rows import profile_rows
from tests.conftest import ROOT


def row(template, kind, median, unit="images/s", predicted=None, **fields):
    return results.row(Labels.of(template, kind, **fields), unit, [median], predicted=predicted).as_json()


def test_plots_are_drawn_of_what_has_one(tmp_path):
    memory = [
        row(template, "peak", mib, "MiB", views > 10**6 and mib > 2000.0, views=views, **peer)
        for template, scale, peer in (
            ("ours/peak/{views}", 0.0, {}),
            ("peer/{peer}/peak/{views}", 0.01, {"peer": "study"}),
        )
        for views in (40_000, 600_000, 60_000_000)
        for mib in (1000.0 + scale * views,)
    ]
    feeds = [
        row("ours/train/{cache}/512", "train", 1e6, cache="memory"),
        row("peer/{peer}/x", "train", 1e5, peer="y"),
        row("ours/ceiling/{loader}", "ceiling", 7e6, loader="copy"),
    ]
    documents = {
        **blocks.read_results(ROOT / blocks.RESULTS),
        "memory": {"benchmark": "memory", "rows": memory},
        "input": {"benchmark": "input", "rows": feeds},
        "profile": {"benchmark": "profile", "rows": profile_rows("tiny")},
    }
    paths = results_plots.draw(documents, tmp_path / "new")
    names = {path.name for path in paths}
    assert {"memory.png", "input.png", "profile.png", "scaling.png", "train_step.png"} <= names
    assert "startup.png" not in names
    for path in paths:
        assert imread(path).std() > 0.05
