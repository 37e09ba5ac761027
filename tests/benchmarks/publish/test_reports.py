"""The committed pages of studies and tuner sessions are what their reports give."""

import json
import re

import pytest

from benchmarks.publish import reports
from pipeline.common import errors
from tests.conftest import ROOT

COMMITTED = [path for kind in reports.PAGES for path in sorted((ROOT / "docs" / kind).glob("*/report.json"))]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_page_is_that_of_its_report(path):
    text = path.with_name("report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"^!\[.*\]\((.*)\)$", text, re.MULTILINE)
    assert all((path.parent / picture).exists() for picture in pictures)
    assert reports.PAGES[path.parents[1].name](json.loads(path.read_text(encoding="utf-8")), pictures) == text


def test_broken_report_is_named(tmp_path):
    path = tmp_path / "sessions" / "a" / "report.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(errors.FailedError, match=r"^/.*report\.json: expected"):
        list(reports.draw(tmp_path))
