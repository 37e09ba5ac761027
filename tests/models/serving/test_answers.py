"""Answers and the page; no server library is needed."""

import dataclasses
import html.parser
import io
import json
import re

import jsonschema
import numpy as np
import PIL.Image
import pytest

from models.prediction.predictor import Predictor
from models.runs.folder import RunFolder
from models.serving import page
from models.serving.answers import ANSWER_SCHEMA, Answerer
from models.serving.gate import FullError, Gate
from pipeline.datasets import images
from pipeline.datasets.description import Classes
from tests.models.serving.conftest import SCRIPT
from tests.pipeline.datasets import image_files


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("name", ["trained", "summed"])
def test_answer_is_that_of_predict_and_of_the_schema(name, request, noise):
    predictor = Predictor(RunFolder(request.getfixturevalue(name)), 1)
    answerer = Answerer(predictor)
    answerer.warm_up()
    answer = answerer(png(noise))
    jsonschema.validate(json.loads(json.dumps(answer)), ANSWER_SCHEMA)
    assert (answer["width"], answer["height"]) == (40, 48)
    found = predictor(predictor.prepare(noise)[None])
    for level, names in predictor.classes.names.items():
        assert answer[level][0]["label"] == names[found.predicted[level][0]]
        probabilities = [one["probability"] for one in answer[level]]
        assert len(probabilities) == 5
        assert probabilities == sorted(probabilities, reverse=True)
    fine = answer["fine"][0]
    classes = predictor.classes
    assert fine["superclass"] == classes.coarse[classes.fine_to_coarse[classes.fine.index(fine["label"])]]
    assert predictor.call.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("kind", image_files.REFUSED)
def test_what_is_no_image_has_a_reason(kind, trained):
    answerer = Answerer(Predictor.__new__(Predictor))  # which is not asked
    with pytest.raises(images.ImageError):
        answerer(image_files.REFUSED[kind].file)


def test_image_of_more_pixels_than_the_server_takes_is_refused_before_it_is_decoded(monkeypatch):
    file = image_files.png(image_files.RED_GREEN_BLUE, size=(1 << 13, 1 << 13))
    monkeypatch.setattr(images, "decode", lambda file: pytest.fail("decoded"))
    with pytest.raises(images.ImageError, match=r"more than 33,554,432 pixels"):
        Answerer(Predictor.__new__(Predictor))(file)


def test_gate_lets_in_as_many_as_fit():
    gate = Gate(2)
    with gate.entered():
        with gate.entered(), pytest.raises(FullError), gate.entered():
            pass
        with gate.entered():
            pass


class Tags(html.parser.HTMLParser):
    """The tags of a document with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def test_page_shows_names_as_text_and_asks_no_other_machine(description):
    document, headers = page.render(description, SCRIPT, warning=SCRIPT)
    parser = Tags()
    parser.feed(document)
    policy = headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)[1]
    scripts = [attributes for tag, attributes in parser.tags if tag == "script"]
    assert scripts == [{"nonce": nonce}]
    assert SCRIPT not in document
    assert document.count("&lt;script&gt;alert(1)") == 5
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    links = [value for _, attributes in parser.tags for name, value in attributes.items() if name in ("src", "href")]
    assert links == ["data:,", "/schema"]
    assert "//" not in re.sub(r"//  ?\w", "", document)
    assert not re.search(r"innerHTML|document\.write|\sstyle=|\son\w+=", document)
    assert page.render(description, "a")[1] != headers


def test_page_of_one_level_of_labels_names_no_superclass(description):
    plain = dataclasses.replace(description, classes=Classes(("a", "b")))
    body = page.render(plain, "a")[0].partition("<body")[2].partition("<script")[0]
    assert "superclass" not in body
    assert 'role="alert"' not in body
