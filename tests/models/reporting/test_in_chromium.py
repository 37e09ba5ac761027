"""The pages in a browser: no error, no request, and a script that does what it says."""

import json
import pathlib
import re

import pytest

from models.reporting import comparison_page, page
from tests import chromium
from tests.models.reporting.run_files import (
    CONFIG,
    REPORT,
    make_calibration,
    make_confusion,
    make_mistakes,
    make_rows,
)

pytestmark = pytest.mark.slow
LABEL = "<script>alert(1)</script>"
DRIVER = """
<script>
const input = document.querySelector(".filter input"), image = document.querySelector("svg image");
input.value = WORDS;
input.dispatchEvent(new Event("input"));
const box = image.getBoundingClientRect();
const place = { clientX: box.left + box.width * 0.003, clientY: box.top + box.height * 0.013 };
image.dispatchEvent(new PointerEvent("pointermove", place));
const texts = (parts) => [...parts].map((part) => part.textContent);
document.title = JSON.stringify({
  tip: texts(document.querySelector(".tip").children),
  shown: [...document.querySelectorAll(".predictions tbody tr")].map((row) => texts(row.children)),
  shaded: document.querySelectorAll(".shade rect").length,
  counter: document.querySelector("output").textContent,
});
</script></body>"""


@pytest.fixture(scope="module")
def text():
    """A page with all of its sections, and a hostile label."""
    confusions, mistakes = make_confusion(), make_mistakes()
    confusions["fine"]["names"][0] = mistakes["mistakes"][0]["true"] = LABEL
    report = {**REPORT, "split": "test", "examples_per_class": {"fine": [*range(1, 101)], "coarse": [5] * 20}}
    contents = (CONFIG, make_rows(), report, confusions, make_calibration(), mistakes)
    return page.render(page.Contents(pathlib.Path("runs/quick"), *contents))


@pytest.fixture
def opened(tmp_path):
    """Opens a page's text as a file."""

    def open_text(text):
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        return chromium.open_page(path.as_uri(), tmp_path / "profile")

    return open_text


def driven(opened, text, words):
    """What the script shows after a text in the filter, with the pointer on the first class's second row."""
    allowed = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    document, console = opened(allowed.replace("</body>", DRIVER.replace("WORDS", json.dumps(words))))
    assert console == []
    (title,) = re.findall("<title>(.*?)</title>", document)
    return json.loads(title.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def test_the_page_opens_without_a_console_message(opened, text):
    document, console = opened(text)
    assert console == []
    assert 'class="filter"' in document
    assert '<div class="filter" hidden' not in document  # the script has run


def test_a_request_or_a_foreign_script_would_be_a_message(opened, text):
    hostile = '<img src="http://127.0.0.1:9/x.png"><script>document.title = "owned"</script></body>'
    document, console = opened(text.replace("</body>", hostile))
    assert len(console) == 2
    assert all("Content Security Policy" in line for line in console)
    assert "<title>owned" not in document


def test_the_filter_lists_a_class_and_shades_the_others(opened, text):
    found = driven(opened, text, "apple")
    assert [row[0] for row in found["shown"]] == ["apple"]
    assert found["shown"][0][1:] == ["50.0 %", "pear 40.0 %, aquarium fish 10.0 %"]
    assert found["shaded"] == 99
    assert found["counter"] == "1 of 100 classes"


def test_the_filter_takes_a_superclass(opened, text):
    found = driven(opened, text, "Fruit and")
    assert {row[0] for row in found["shown"]} == {"apple", "mushroom", "orange", "pear", "sweet pepper"}
    assert found["shaded"] == 95


def test_the_pointer_shows_the_cell_with_its_labels_as_text(opened, text):
    found = driven(opened, text, "")
    second = make_confusion()["fine"]["names"][1].replace("_", " ")
    assert found["tip"] == [f"true: {second}", f"predicted: {LABEL}", "0 of 100 (0.0 %)", "same superclass"]
    assert found["shown"] == []
    assert found["shaded"] == 0


def test_a_comparison_opens_without_a_console_message(opened):
    runs = [comparison_page.Run(name, CONFIG, make_rows(2), REPORT, None) for name in (LABEL, "other")]
    document, console = opened(comparison_page.render(runs))
    assert console == []
    assert "No predictions" in document
