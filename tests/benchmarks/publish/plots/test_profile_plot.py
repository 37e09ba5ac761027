"""Bars add up to the parts; points, ceilings and names stand where they belong."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benchmarks.profile.parts import MULTIPLYING, PARTS
from benchmarks.publish.plots import profile_plot
from models.reporting.plot_style import INK
from tests.benchmarks.publish.profile_rows import profile_rows


def axes_of(rows):
    return profile_plot.draw(rows).axes


def test_bars_have_every_part_and_the_step():
    bars, _ = axes_of(profile_rows("tiny", "fast"))
    widths = [bar.get_width() for bar in bars.patches]
    assert widths[:11] == [*(10.0 * place for place in range(1, 11)), 560.0]
    assert widths[11:] == [1.5 * width for width in widths[:11]]
    lefts = [bar.get_x() for bar in bars.patches][:10]
    assert lefts == [sum(widths[:place]) for place in range(10)]
    assert [text.get_text() for text in bars.get_legend().get_texts()] == [part.replace("_", " ") for part in PARTS]
    assert {"560 ms", "840 ms"} < {text.get_text() for text in bars.texts}


def test_parts_stand_below_the_ceilings():
    _, roofline = axes_of(profile_rows("tiny"))
    ceilings = [line for line in roofline.lines if line.get_color() == INK]
    (first, ridge), (low, high) = ceilings[0].get_data()
    assert (low / first, high / ridge) == (pytest.approx(20.0), pytest.approx(20.0))  # GB/s
    assert [(line.get_xdata()[0], *line.get_ydata()) for line in ceilings[1:]] == [(7.5, 150, 150), (30, 600, 600)]
    points = [line for line in roofline.lines if line.get_linestyle() == "None"]
    places = [PARTS.index(part) + 1 for part in MULTIPLYING]
    assert [line.get_xdata()[0] for line in points] == [10 * place for place in places]
    assert [line.get_ydata()[0] for line in points] == pytest.approx([40 * place for place in places])
    assert len({line.get_marker() for line in points}) == 4


@pytest.mark.parametrize("recipes", [("tiny",), ("tiny", "fast", "quick", "resnet18", "wrn_16_4")])
def test_names_do_not_overlap(recipes):
    figure = profile_plot.draw(profile_rows(*recipes))
    renderer = FigureCanvasAgg(figure).get_renderer()
    for axes in figure.axes:
        extents = [text.get_window_extent(renderer) for text in axes.texts]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(extents, 2))
    assert len(figure.axes[1].texts) == 3 + 4 * len(recipes)


def test_recipe_whose_optimizer_multiplies_nothing_has_no_such_point():
    rows = [row for row in profile_rows("quick") if row.get("metric") != "optimizer"]
    bars, roofline = axes_of(rows)
    assert "optimizer" not in {text.get_text() for text in roofline.get_legend().get_texts()}
    assert len(bars.patches) == 10
