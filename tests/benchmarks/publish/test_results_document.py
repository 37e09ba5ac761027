"""The page of results is the committed results', with a picture where one is drawn."""

import json

from matplotlib.image import imread

from benchmarks.publish import results_document, results_plots
from tests.conftest import ROOT


def test_committed_page_says_what_the_committed_results_say():
    documents = results_document.read(results_document.RESULTS)
    pictures = {path.stem: path.name for path in (ROOT / "docs" / "results").glob("*.png")}
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert text == results_document.page(documents, pictures)
    assert set(pictures) <= set(documents)


def test_every_row_is_there_with_its_command():
    documents = results_document.read(results_document.RESULTS)
    text = results_document.page(documents, {})
    for document in documents.values():
        assert f"`{document['command']}`" in text
        assert all(f"| {row['name']} | {row['unit']} |" in text for row in document["rows"])


def row(name, median, unit="images/s", **more):
    return {"name": name, "unit": unit, "median": median, "min": median, "max": median, "repeats": 3, **more}


def test_pictures_are_drawn_of_what_has_one(tmp_path):
    memory = [
        row(f"{kind}/peak/{views}", 1000.0 + scale * views, "MiB", predicted=views > 10**6 and scale > 0)
        for kind, scale in (("ours", 0.0), ("peer/study", 0.01))
        for views in (40_000, 600_000, 60_000_000)
    ]
    feeds = [row("ours/train/memory/512", 1e6), row("peer/x", 1e5), row("ours/ceiling/copy", 7e6)]
    documents = {
        **results_document.read(results_document.RESULTS),
        "memory": {"benchmark": "memory", "rows": memory},
        "input": {"benchmark": "input", "rows": feeds},
    }
    paths = results_plots.draw(documents, tmp_path)
    assert {"memory", "input", "train_step"} <= set(paths)
    assert "startup" not in paths
    for path in paths.values():
        assert imread(path).std() > 0.05


def test_folder_of_results_leaves_runs_and_the_schema_out():
    names = set(results_document.read(results_document.RESULTS))
    assert {"train_step", "startup"} <= names
    assert not {"schema", "quick-cifar100"} & names
    assert json.loads((results_document.RESULTS / "quick-cifar100.json").read_text())
