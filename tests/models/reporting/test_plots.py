"""The charts: SVG that says what it shows, the same for the same rows."""

import functools
from xml.etree import ElementTree

import pytest

from models.reporting import plots
from tests.models.reporting.run_files import make_rows, without

CHARTS = [functools.partial(plots.draw, chart) for chart in plots.CHARTS]
accuracy, cross_entropy, objective, learning_rate, throughput, memory = CHARTS


@functools.cache
def drawn(draw):
    """The chart of a usual run."""
    return draw(make_rows())


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{{{plots.SVG}}}text")]


def curves(svg):
    """The paths that are drawn in the colour of a quantity and lie in no definition: one a line, one in the legend."""
    colours = [f"var(--{name}" for name in plots.MARKERS]
    root = ElementTree.fromstring(svg)
    paths = [path.get("style", "") for path in root.iter(f"{{{plots.SVG}}}path")]
    return [style for style in paths if "fill: none" in style and any(colour in style for colour in colours)]


def marks(svg):
    """How many markers of quantities there are; the axes' ticks are in another colour."""
    used = ElementTree.fromstring(svg).iter(f"{{{plots.SVG}}}use")
    return sum("var(--ink" not in element.get("style", "") for element in used)


@pytest.mark.parametrize(
    ("draw", "labels"),
    [
        (accuracy, ["accuracy (%)", "validation, fine", "training, coarse head", "validation, coarse from fine"]),
        (cross_entropy, ["cross-entropy (nats)", "validation, fine", "training, coarse"]),
        (objective, ["objective (nats)", "validation", "training"]),
        (learning_rate, ["learning rate", "at the epoch's end"]),
        (throughput, ["images/s", "training"]),
        (memory, ["MiB", "resident"]),
    ],
)
def test_a_chart_names_its_axes_and_lines(draw, labels):
    assert {"epoch", *labels} <= set(texts(drawn(draw)))


@pytest.mark.parametrize("draw", CHARTS)
def test_the_same_rows_give_the_same_bytes(draw):
    assert draw(make_rows()) == drawn(draw)
    assert "metadata" not in drawn(draw)


def test_other_rows_give_another_chart():
    assert objective(make_rows(5)) != drawn(objective)


def test_accuracies_are_in_per_cent_from_zero():
    marks = texts(drawn(accuracy))
    assert "0" in marks
    assert "60" in marks


@pytest.mark.parametrize("draw", CHARTS)
def test_one_epoch_is_marked_at_its_number(draw):
    svg = draw(make_rows(1))
    assert texts(svg)[0] == "1"
    assert texts(svg)[1] == "epoch"
    assert marks(svg) > 0


def test_an_epoch_is_marked_while_they_are_few():
    assert marks(drawn(objective)) == 2 * (6 + 1)  # and once in the legend
    assert marks(objective(make_rows(60))) == 0


def test_what_was_not_measured_has_no_line():
    rows = [without(row, "coarse", "validation") for row in make_rows()]
    svg = accuracy(rows)
    assert "training, fine" in texts(svg)
    assert not [text for text in texts(svg) if "validation" in text or "coarse" in text]
    assert len(curves(svg)) == 2


def test_training_is_dashed_and_validation_is_not():
    dashed = ["stroke-dasharray" in style for style in curves(drawn(objective))]
    assert dashed == [False, True, False, True]  # the lines, then the legend's


def test_every_colour_may_be_set_by_the_page():
    svg = drawn(accuracy)
    for name in ("fine", "coarse", "summed", "ink", "grid"):
        assert f"var(--{name}, {plots.COLOURS[name]})" in svg


def test_four_charts_on_one_page_share_no_group_names():
    groups = [group for draw in CHARTS for group in ElementTree.fromstring(drawn(draw)).iter(f"{{{plots.SVG}}}g")]
    assert groups
    assert not [group.get("id") for group in groups if group.get("id")]


def test_the_picture_has_a_name_for_screen_readers():
    root = ElementTree.fromstring(drawn(objective))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "objective (nats) by epoch: validation; training"
