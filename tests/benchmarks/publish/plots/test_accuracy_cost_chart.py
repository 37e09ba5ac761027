"""The chart of accuracy over cost: every recipe has its name, and nothing overlaps."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benchmarks.publish import our_results
from benchmarks.publish.plots import accuracy_cost_chart
from benchmarks.publish.published_results import PUBLISHED, Recipe
from tests.benchmarks.publish.reports import measured
from tests.conftest import ROOT

OURS = (
    measured("tiny", (64.1, 63.2, 63.4), 0.035, 40_000),
    measured("quick", (59.8,), 0.053, 40_000),
    measured("fast", (75.4, 75.0), 0.34, 50_000),  # on top of a published one
)
COMMITTED = our_results.charted(ROOT / "benchmarks" / "results")


@pytest.fixture(scope="module")
def figure():
    return accuracy_cost_chart.draw(OURS)


def test_every_recipe_is_named_and_axes_have_units(figure):
    (axes,) = figure.axes
    names = [text.get_text() for text in (*figure.texts, *axes.texts)]
    for name in ("tiny 63.6 %", "quick 59.8 %", "fast 75.2 %", *(recipe.chart_name for recipe in PUBLISHED)):
        assert not name or name in names
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "training cost (PFLOP)",
        "accuracy on test, 100 classes (%)",
    )
    assert any("40,000 (tiny, quick); 50,000 (fast)" in name for name in names)


@pytest.mark.parametrize("ours", [OURS, COMMITTED], ids=["a few", "committed"])
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
        "this project",
        "published, cost as stated",
        "published, cost estimated",
        "several views, cost estimated",
    }
