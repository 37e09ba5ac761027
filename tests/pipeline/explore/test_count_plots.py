"""Bars of images per class."""

import dataclasses
import itertools

import numpy as np
import pytest

from pipeline.explore import count_plots
from pipeline.gallery import image_grid


def bars(figure) -> dict[str, list[tuple[int, str]]]:
    """What each name's bars are: how long, and what is written on them."""
    found = {}
    for axes in figure.axes:
        names = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
        told = [text.get_text() for text in axes.texts]
        for place, bar in enumerate(itertools.chain.from_iterable(axes.containers)):
            found.setdefault(names[place % len(names)], []).append((bar.get_width(), told[place]))
    return found


def test_bars_are_as_long_as_there_are_images(uneven):
    assert bars(count_plots.draw(uneven)) == {
        "apple": [(40, "40"), (10, "10"), (1, "")],  # too narrow for its number
        "bear": [(39, "39"), (10, "10"), (10, "10")] * 2,  # it stands under both of its superclasses
        "cup": [(39, "39"), (10, "10"), (10, "10")],
        "big": [(78, "78"), (20, "20"), (11, "11")],
        "small": [(40, "40"), (10, "10"), (10, "10")],
    }


def test_bars_of_classes_without_superclasses_are_in_the_order_of_the_labels(one_level, monkeypatch):
    assert list(bars(count_plots.draw(one_level))) == ["apple", "bear", "cup"]
    monkeypatch.setattr(count_plots, "MAX_CLASSES", 2)
    assert list(bars(count_plots.draw(one_level))) == ["bear", "cup"]


@pytest.mark.parametrize("num_images", [1, 12_345])
def test_words_of_the_bars_do_not_overlap(survey, num_images):
    pairs = {part: np.where(counts, num_images, 0) for part, counts in survey.label_pairs.items()}
    names = tuple(f"a long name of a superclass, {number}" for number in range(20))
    figure = count_plots.draw(dataclasses.replace(survey, coarse_names=names, label_pairs=pairs))
    renderer = image_grid.FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    texts = [figure._suptitle, *figure.legends[0].get_texts()]
    for axes in figure.axes:
        shown = [label for label in axes.get_xticklabels() if label.get_position()[0] <= axes.get_xlim()[1]]
        texts += [*axes.texts, *axes.get_yticklabels(), *shown, axes.xaxis.label]
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    assert len(boxes) > 400
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0, box  # noqa: PT018
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, box  # noqa: PT018
    for one, other in itertools.combinations(boxes, 2):
        assert one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0, (one, other)
