"""The most confident mistakes and their images."""

import base64
import io

import numpy as np
import PIL.Image
import pytest

from models.reporting import mistakes
from models.reporting.calibration import Answer, predictions
from models.runs.folder import RunFolder
from tests.models.reporting.test_calibration import drawn


def test_mistakes_are_the_most_confident_first():
    logits = np.float32([[0, 2], [5, 0], [0, 9], [1, 0], [0, 2]])
    answer = Answer(logits, np.array([0, 0, 0, 1, 0]))
    found = mistakes.most_confident(answer, count=3)
    assert [(one.index, one.true, one.predicted) for one in found] == [(2, 0, 1), (0, 0, 1), (4, 0, 1)]
    assert found[1].probability == pytest.approx(1 / (1 + np.exp(-2)))
    assert mistakes.most_confident(answer, 2.0)[1].probability == pytest.approx(1 / (1 + np.exp(-1)))
    assert [one.index for one in mistakes.most_confident(answer, stride=10)] == [20, 0, 40, 30]
    assert mistakes.most_confident(Answer(logits, logits.argmax(axis=1))) == []


def test_no_more_than_24_are_shown_and_none_is_more_confident():
    answer = drawn(3000)
    found = mistakes.most_confident(answer)
    everything = predictions(answer)
    others = np.delete(everything.confidences, [one.index for one in found])
    hits = np.delete(everything.hits, [one.index for one in found])
    assert len(found) == 24
    assert min(one.probability for one in found) >= others[~hits].max()
    assert not everything.hits[[one.index for one in found]].any()


@pytest.mark.parametrize(("size", "shown"), [(1, 1), (32, 32), (96, 96), (97, 96), (224, 96)])
def test_images_are_png_of_at_most_96_pixels(tmp_path, size, shown):
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    found = [mistakes.Mistake(7, 1, 0, 0.75)]
    document = mistakes.document("test", "fine", ["apple", "pear"], found, {7: image})
    RunFolder(tmp_path).write_evaluated("mistakes", document)
    (entry,) = RunFolder(tmp_path).evaluated("mistakes")["mistakes"]
    assert {**entry, "png": ""} == {"true": "pear", "predicted": "apple", "probability": 0.75, "index": 7, "png": ""}
    with PIL.Image.open(io.BytesIO(base64.b64decode(entry["png"], validate=True))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (shown, shown))
        if shown == size:
            np.testing.assert_array_equal(np.asarray(picture), image)
