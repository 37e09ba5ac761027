"""The heat map has every accuracy at its place, and the sheet every corruption."""

import numpy as np
import pytest

from benchmarks.publish.plots import robustness_plots
from benchmarks.robustness import rows
from benchmarks.robustness.corruptions import CORRUPTIONS


def accuracy(place: int, severity: int) -> float:
    return 0.9 - 0.02 * place - 0.05 * severity


def json_rows(names, severities):
    found = {(name, s): {"fine": accuracy(i, s), "coarse": 0.95} for i, name in enumerate(names) for s in severities}
    found_rows = [*rows.accuracies("", 0, {"fine": 0.9, "coarse": 0.95}, 2000)]
    for (name, severity), by_level in found.items():
        found_rows += rows.accuracies(name, severity, by_level, 2000)
    return [row.as_json() for row in (*found_rows, *rows.means(found, 2000))]


def test_heat_map_has_every_accuracy_and_the_mean_of_each_line():
    axes = robustness_plots.draw(json_rows(CORRUPTIONS, (1, 2, 3, 4, 5))).axes[0]
    (picture,) = axes.images
    expected = [[100 * accuracy(place, severity) for severity in (1, 2, 3, 4, 5)] for place in range(19)]
    assert np.asarray(picture.get_array()) == pytest.approx(np.array(expected), abs=0.001)
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert (names[0], names[-1]) == ("Gaussian noise", "saturate (extra)")
    texts = [text.get_text() for text in axes.texts]
    assert texts[:5] == [f"{value:.1f}" for value in expected[0]]
    assert texts[95:97] == [f"{np.mean(line):.1f}" for line in expected[:2]]
    title = axes.figure.get_suptitle()
    assert "2,000 corrupted images of test" in title
    assert "clean images 90.0 %" in title
    assert f"15 corruptions {np.mean(expected[:15]):.1f} %" in title


def test_part_of_the_corruptions_has_no_mean_of_all():
    figure = robustness_plots.draw(json_rows(("fog", "snow"), (3,)))
    assert "15 corruptions" not in figure.get_suptitle()
    assert robustness_plots.draw(json_rows((), ())) is None


def test_sheet_has_every_corruption_beside_the_clean_image():
    picture = robustness_plots.sheet()
    assert len(picture.rows) == 19
    for row in picture.rows:
        assert row.images.shape == (6, 32, 32, 3)
        assert all(np.any(row.images[0] != image) for image in row.images[1:])
    assert len({row.images[0].tobytes() for row in picture.rows}) == 1
