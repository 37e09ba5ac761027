"""Confusion matrices: the document, its statistics, its pictures and its section of the page."""

import functools
import pathlib
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from models.reporting import confusion, confusion_plots, page, plots
from pipeline.datasets import labels
from tests.models.reporting.run_files import CONFIG, REPORT, make_confusion, make_counts, make_rows


@functools.cache
def matrix(label):
    return confusion.read(make_confusion()[label])


@functools.cache
def drawn(label):
    return confusion_plots.fine(matrix("fine")) if label == "fine" else coarse_picture()


def coarse_picture():
    return confusion_plots.plain(matrix("coarse"), "Coarse confusion matrix")


@functools.cache
def section(fine):
    return render(make_confusion(fine=fine, source="summed" if fine else "head"))


def render(document):
    """The section's HTML."""
    whole = page.render(page.Contents(pathlib.Path("runs/quick"), CONFIG, make_rows(), REPORT, document))
    (found,) = [part for part in whole.split("<h2>") if part.startswith("Confusion matrix")]
    return found


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{{{plots.SVG}}}text")]


def two_classes(counts, superclasses=("a", "b")):
    return confusion.Matrix(("x", "y"), superclasses, np.array(counts))


def test_document_orders_fine_classes_by_superclass_and_moves_no_count():
    found = make_confusion()["fine"]
    assert found["names"] == [name for members in labels.MEMBERS.values() for name in members]
    assert found["superclasses"] == [name for name, members in labels.MEMBERS.items() for _ in members]
    counts = make_counts()["fine"]
    for name in ("apple", "pear", "worm", "aquarium_fish"):
        number, place = labels.FINE_NAMES.index(name), found["names"].index(name)
        taken_for = {labels.FINE_NAMES[column]: int(counts[number, column]) for column in counts[number].nonzero()[0]}
        row = found["counts"][place]
        assert {found["names"][column]: row[column] for column in np.nonzero(row)[0]} == taken_for


def test_document_counts_its_examples_and_has_null_for_a_head_that_is_not_there():
    assert make_confusion()["examples_evaluated"] == 10_000
    found = make_confusion(fine=False)
    assert found["fine"] is None
    assert np.sum(found["coarse"]["counts"]) == 10_000


def test_shares_sum_to_one_a_row_and_a_class_without_examples_has_none():
    shares = two_classes([[1, 3], [0, 0]]).shares
    assert shares.tolist() == [[0.25, 0.75], [0.0, 0.0]]


def test_most_confused_is_in_shares_of_the_true_class():
    first, second, *others = confusion.most_confused(matrix("fine"), 10)
    assert first == confusion.Mistake("apple", "pear", 0.4, True)
    assert second.share == 0.1
    assert len(others) == 8
    # One in two weighs more than three in a hundred.
    uneven = confusion.most_confused(two_classes([[97, 3], [1, 1]]), 10)
    assert uneven == [confusion.Mistake("y", "x", 0.5, False), confusion.Mistake("x", "y", 0.03, False)]


def test_what_never_happened_is_no_mistake():
    assert confusion.most_confused(two_classes([[2, 0], [0, 2]]), 10) == []
    assert confusion.share_within_superclass(two_classes([[2, 0], [0, 2]])) is None


def test_share_of_mistakes_within_the_superclass():
    assert confusion.share_within_superclass(two_classes([[5, 1], [2, 5]], ("a", "a"))) == 1.0
    assert confusion.share_within_superclass(two_classes([[5, 1], [2, 5]])) == 0.0
    counts = make_counts()["fine"]
    coarse = np.array(labels.FINE_TO_COARSE)
    wrong = [(row, column) for row, column in zip(*counts.nonzero(), strict=True) if row != column]
    within = sum(counts[place] for place in wrong if coarse[place[0]] == coarse[place[1]])
    assert confusion.share_within_superclass(matrix("fine")) == within / sum(counts[place] for place in wrong)


def test_accuracy_by_superclass_weighs_by_examples():
    found = confusion.accuracy_by_superclass(two_classes([[1, 3], [0, 12]], ("a", "a")))
    assert found == {"a": 13 / 16}
    assert confusion.accuracy_by_superclass(two_classes([[1, 3], [0, 0]])) == {"a": 0.25, "b": None}
    assert confusion.accuracy_by_superclass(matrix("fine"))["fruit and vegetables"] == pytest.approx(0.82)


def test_fine_picture_names_every_class_and_superclass_on_both_axes():
    found = texts(drawn("fine"))
    for name in (*labels.FINE_NAMES, *labels.COARSE_NAMES):
        assert found.count(name.replace("_", " ")) == 2, name
    assert {"true class", "predicted class", "% of the true class"} <= set(found)


def test_fine_picture_parts_the_superclasses():
    style = f"stroke: {confusion_plots.SEPARATOR}"
    paths = ElementTree.fromstring(drawn("fine")).iter(f"{{{plots.SVG}}}path")
    assert sum(style in path.get("style", "") for path in paths) == 2 * 19


def test_coarse_picture_has_names_and_per_cents():
    found = texts(drawn("coarse"))
    for name in labels.COARSE_NAMES:
        assert found.count(name.replace("_", " ")) == 2
    percents = [f"{percent:.0f}" for percent in 100 * matrix("coarse").shares.ravel()]
    assert sorted(text for text in found if re.fullmatch(r"\d+", text)) == sorted(
        percent for percent in percents if percent != "0"
    )


def test_a_number_is_legible_on_its_cell():
    for percent, dark in ((0, False), (39, False), (40, True), (100, True)):
        norm = confusion_plots.BoundaryNorm(confusion_plots.STEPS_PERCENT, confusion_plots.SHADES.N)
        red, green, blue, _ = confusion_plots.SHADES(norm(percent))
        luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
        ink = 1.0 if dark else 0.016
        contrast = (max(ink, luminance) + 0.05) / (min(ink, luminance) + 0.05)
        assert contrast >= 4.5, percent


def test_shades_darken_step_by_step():
    luminances = [confusion_plots.SHADES(step)[:3] @ np.array([0.2126, 0.7152, 0.0722]) for step in range(9)]
    assert np.all(np.diff(luminances) < 0)


@pytest.mark.parametrize("label", ["fine", "coarse"])
def test_a_picture_is_one_pixel_a_cell_the_same_each_time_and_has_a_name(label):
    root = ElementTree.fromstring(drawn(label))
    (image,) = root.iter(f"{{{plots.SVG}}}image")
    assert "pixelated" in image.get("style")
    assert image.get("width") == str(len(matrix(label).names))
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith(f"{label.capitalize()} confusion matrix")
    assert "var(--ink" in drawn(label)
    if label == "coarse":
        assert coarse_picture() == drawn(label)


@pytest.mark.parametrize(
    ("count", "has_names", "has_numbers"), [(30, True, True), (31, True, False), (251, False, False)]
)
def test_many_classes_have_no_numbers_and_then_no_names(count, has_names, has_numbers):
    names = tuple(f"class {number}" for number in range(count))
    found = texts(
        confusion_plots.plain(confusion.Matrix(names, ("",) * count, np.eye(count, dtype=np.int64)), "Classes")
    )
    assert ("class 0" in found) == has_names
    assert (found.count("100") == count) == has_numbers
    assert ("% of the true class" in found) == (not has_numbers)


@pytest.mark.parametrize(("count", "has_numbers"), [(30, True), (31, False)])
def test_only_cells_with_numbers_are_said_to_be_empty(count, has_numbers):
    names = [f"class {number}" for number in range(count)]
    document = make_confusion()
    document["coarse"] = {"names": names, "superclasses": names, "counts": np.eye(count, dtype=np.int64).tolist()}
    assert ("empty below" in render(document | {"fine": None})) == has_numbers


def test_section_tables_the_mistakes_and_the_superclasses():
    text = section(True)
    assert "<td>apple</td><td>pear</td><td>40</td><td>yes</td>" in text
    assert text.count("<td>yes</td>") + text.count("<td>no</td>") == 10
    assert "<td>fruit and vegetables</td><td>82.00</td>" in text
    assert text.count("<svg") == 2
    assert "summed from the fine probabilities" in text


def test_section_of_a_single_coarse_head_has_only_what_it_has():
    text = section(False)
    assert text.count("<svg") == 1
    assert "from the coarse head" in text
    assert "fine" not in re.sub("<svg.*</svg>", "", text, flags=re.DOTALL).lower()
    coarse = confusion.accuracy_by_superclass(matrix("coarse"))["fish"]
    assert f"<td>fish</td><td>{100 * coarse:.2f}</td></tr>" in text


def test_names_in_the_section_are_escaped():
    found = make_confusion()
    found["split"] = "<b>"
    found["fine"]["names"] = [f"<i>{name}" for name in found["fine"]["names"]]
    found["coarse"]["names"] = [f"<u>{name}" for name in found["coarse"]["names"]]
    found["coarse"]["superclasses"] = found["coarse"]["names"]
    found["fine"]["superclasses"] = [f"<u>{name}" for name in found["fine"]["superclasses"]]
    text = render(found)
    assert not re.search("<[biu]>", text)
    assert "&lt;i&gt;apple" in text


@pytest.mark.parametrize("name", [r"$\foo$", "$5 and $10", "a$_b$", "\ufffe"])
def test_a_class_has_any_name(name):
    """Two dollar signs were a formula, which may be wrong; XML forbids two characters."""
    read = confusion.read({"names": [name, "y"], "superclasses": ["", ""], "counts": [[1, 0], [0, 1]]})
    shown = name.replace("\ufffe", "\N{REPLACEMENT CHARACTER}").replace("_", " ")
    assert texts(confusion_plots.plain(read, "Classes")).count(shown) == 2
