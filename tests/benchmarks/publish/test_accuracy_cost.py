"""The picture of accuracy over cost: what it reads, where it puts names, what it shows."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from benchmarks.publish import accuracy_cost_chart, label_placement, our_results
from benchmarks.publish.label_placement import Label
from benchmarks.publish.our_results import Measured
from benchmarks.publish.published_results import PUBLISHED, Recipe
from pipeline.common import errors
from tests.conftest import ROOT

OURS = (
    Measured("tiny", (64.1, 63.2, 63.4), 0.035, 40_000),
    Measured("quick", (59.8,), 0.053, 40_000),
    Measured("fast", (75.4, 75.0), 0.34, 50_000),  # on top of a published one
)


def report(**values):
    standard = {
        "dataset": "cifar100",
        "preset": "tiny",
        "preset_changes": {},
        "split": "test",
        "seed": 0,
        "num_train": 40_000,
        "fine_accuracy": 0.6,
        "train_petaflop": 0.05,
    }
    return {**standard, **values}


def read(tmp_path, **documents):
    for name, document in documents.items():
        (tmp_path / f"{name}-cifar100.json").write_text(json.dumps(document))
    return our_results.read(tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        {"command": "...", "report": report(), "rows": [{"epoch": 1, "train_fine_accuracy": 0.1}]},
        {"mean": {"fine_accuracy": [60.0, 0.1]}, "runs": [{"commands": ["..."], "report": report()}]},
        {"benchmark": "presets", "rows": [{"name": "ours/tiny", **report()}]},
    ],
)
def test_report_is_found_wherever_a_file_has_it(tmp_path, document):
    assert read(tmp_path, any=document) == [Measured("tiny", (60.0,), 0.05, 40_000)]


def test_what_is_no_test_of_cifar100_is_passed_over(tmp_path):
    passed_over = [
        report(split="validation", seed=1),
        report(dataset="shapes100", seed=2),
        report(fine_accuracy=None, seed=3),
    ]
    (tmp_path / "other.json").write_text(json.dumps(report(preset="other")))
    assert [recipe.fine_percents for recipe in read(tmp_path, one=[*passed_over, report(seed=4)])] == [(60.0,)]


def test_seeds_are_averaged_and_their_sample_deviation_taken(tmp_path):
    runs = [report(seed=seed, fine_accuracy=accuracy) for seed, accuracy in enumerate((0.60, 0.62, 0.64))]
    (recipe,) = read(tmp_path, tiny={"runs": [*runs, runs[0]]})  # one seed twice is one seed
    assert recipe.mean == pytest.approx(62.0)
    assert recipe.deviation == pytest.approx(2.0)


def test_one_seed_has_no_deviation():
    assert OURS[1].deviation is None


def test_recipes_are_named_by_what_they_change_and_by_their_images(tmp_path):
    whole = report(preset="fast", preset_changes={"num_validation": 0}, num_train=50_000, train_petaflop=0.3)
    longer = report(preset_changes={"epochs": 6.0}, train_petaflop=0.1)
    found = read(tmp_path, a=[whole, longer], b=report())
    assert [(recipe.name, recipe.num_train) for recipe in found] == [
        ("tiny", 40_000),
        ("tiny with epochs=6.0", 40_000),
        ("fast", 50_000),
    ]


def test_folder_without_results_is_told(tmp_path):
    with pytest.raises(errors.BadArgumentError, match=r"no \*-cifar100.json there has a report on test"):
        read(tmp_path, only=report(split="validation"))


def test_broken_file_is_told_by_name(tmp_path):
    (tmp_path / "x-cifar100.json").write_text("{")
    with pytest.raises(errors.BadArgumentError, match=r"x-cifar100\.json: expected a JSON file"):
        our_results.read(tmp_path)


def test_own_results_are_those_that_were_recorded():
    found = {recipe.name: recipe for recipe in our_results.read(ROOT / "benchmarks" / "results")}
    recorded = json.loads((ROOT / "benchmarks" / "results" / "tiny-cifar100.json").read_text())
    percents = [100 * run["report"]["fine_accuracy"] for run in recorded["runs"]]
    assert len(percents) == 3
    assert found["tiny"].mean == pytest.approx(sum(percents) / 3)
    assert found["tiny"].deviation == pytest.approx(float(np.std(percents, ddof=1)))


@pytest.mark.parametrize(
    ("name", "multiply_adds", "epochs"),
    [
        ("ShuffleNetV2 x0.5", 11e6, 200),
        ("airbench 96/384/384", 256e6, 12),
        ("airbench 128/512/512", 615e6, 6.5),
        ("SimpleResNet, 13", 421e6, 13),
        ("SimpleResNet, 16", 421e6, 16),
        ("ResNet-20", 41e6, 200),
        ("ResNet-18", 555e6, 200),
        ("WRN-28-10", 5.243e9, 200),
    ],
)
def test_estimated_cost_is_the_formulas(name, multiply_adds, epochs):
    recipes = [recipe for recipe in PUBLISHED if recipe.name.startswith(name)]
    assert recipes
    for recipe in recipes:
        assert recipe.cost_is_estimated
        assert recipe.petaflop == pytest.approx(6 * multiply_adds * 50_000 * epochs / 1e15, rel=0.02)


def labels_at(*middles, size=(60, 10)):
    return [Label(Bbox([np.array(middle) - 4, np.array(middle) + 4]), size) for middle in middles]


def find(labels, taken=(), bounds=(0, 0, 400, 300)):
    return label_placement.find(labels, Bbox.from_extents(*bounds), taken, 1.0)


def test_lone_name_stands_right_of_its_mark():
    (place,) = find(labels_at((100, 100)))
    assert place.box.extents == pytest.approx((107, 95, 167, 105))
    assert place.leader is None


def test_name_at_the_right_edge_stands_left():
    (place,) = find(labels_at((390, 100)))
    assert place.box.x1 <= 386


def test_name_avoids_what_is_taken():
    taken = Bbox.from_extents(104, 0, 400, 300)
    (place,) = find(labels_at((100, 100)), [taken])
    assert not place.box.overlaps(taken)


def test_names_of_a_crowd_are_apart_and_lines_lead_to_the_far_ones():
    labels = labels_at(*((200 + 12 * number, 150 + number % 2) for number in range(5)))
    places = find(labels)
    for one, other in itertools.combinations(places, 2):
        assert not one.box.overlaps(other.box)
    for place, label in itertools.product(places, labels):
        assert not place.box.overlaps(label.mark)
    led = [(place, label) for place, label in zip(places, labels, strict=True) if place.leader]
    assert led
    for place, label in led:
        start, end = place.leader.vertices
        assert np.linalg.norm(start - np.mean(label.mark.get_points(), axis=0)) == pytest.approx(4)
        assert place.box.padded(0.01).contains(*end)
        assert not any(place.leader.intersects_bbox(other.box) for other in places if other is not place)


def test_name_without_any_free_place_is_still_at_its_mark():
    (place,) = find(labels_at((100, 100)), [Bbox.from_extents(0, 0, 400, 300)])
    assert place.box.extents == pytest.approx((107, 95, 167, 105))


@pytest.fixture(scope="module")
def figure():
    return accuracy_cost_chart.draw(OURS)


def test_every_recipe_is_named_and_axes_have_units(figure):
    (axes,) = figure.axes
    names = [text.get_text() for text in figure.texts]
    for name in ("tiny\n63.6 ± 0.5 %", "quick\n59.8 %", "fast\n75.2 ± 0.3 %", *(recipe.name for recipe in PUBLISHED)):
        assert name in names
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "training cost (PFLOP, logarithmic)",
        "fine accuracy on test (%)",
    )
    assert any("ours 40,000 (tiny, quick); 50,000 (fast)" in name for name in names)


@pytest.mark.parametrize("ours", [OURS, our_results.read(ROOT / "benchmarks" / "results")], ids=["a few", "committed"])
def test_no_words_overlap_and_none_leave_the_picture(ours):
    figure = accuracy_cost_chart.draw(ours)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # places the axes' own words
    renderer = canvas.get_renderer()
    (axes,), (legend,) = figure.axes, figure.legends
    words = [*figure.texts, *axes.texts, legend, axes.xaxis.label, axes.yaxis.label]
    boxes = [word.get_window_extent(renderer) for word in words]
    width, height = figure.bbox.size
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
    for (one, box), (other, other_box) in itertools.combinations(zip(words, boxes, strict=True), 2):
        assert not box.overlaps(other_box), (one, other)


def test_bars_are_where_there_are_seeds(figure):
    (axes,) = figure.axes
    assert [container.has_yerr for container in axes.containers] == [True, False, True] + [False] * len(PUBLISHED)


def test_estimates_are_hollow_and_several_views_are_triangles():
    recipes = [
        Recipe("a", 70, 1.0, "source"),
        Recipe("b", 71, 2.0, "source", cost_is_estimated=False),
        Recipe("c", 72, 3.0, "source", single_view=False),
    ]
    figure = accuracy_cost_chart.draw(OURS[:1], recipes)
    marks = [container.lines[0] for container in figure.axes[0].containers]
    assert [mark.get_marker() for mark in marks] == ["o", "s", "s", "^"]
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, True, False, True]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {
        "ours: one view an image, cost counted",
        "published: one view, cost as stated",
        "published: one view, cost estimated",
        "published: several views, cost estimated",
    }


def call(code, *flags):
    command = [sys.executable, "-c", code, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


WITHOUT_TENSORFLOW = (
    "import sys; sys.modules.update(tensorflow=None, keras=None); "
    "from benchmarks.publish import accuracy_cost as b; b.run()"
)


def test_binary_draws_the_same_picture_each_time_and_without_tensorflow(tmp_path):
    for name in ("one", "same"):
        done = call(WITHOUT_TENSORFLOW, f"--out={tmp_path / 'new' / name}.png")
        assert done.returncode == 0, done.stderr
    assert done.stdout == f"written: {tmp_path / 'new' / 'same.png'}\n"
    one, same = (tmp_path / "new" / f"{name}.png" for name in ("one", "same"))
    assert one.read_bytes() == same.read_bytes()
    assert len(list(one.parent.iterdir())) == 2


def test_folder_that_is_not_there_is_one_line(tmp_path):
    done = call(WITHOUT_TENSORFLOW, f"--out={tmp_path / 'a.png'}", f"--results_dir={tmp_path / 'none'}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: results_dir=")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
