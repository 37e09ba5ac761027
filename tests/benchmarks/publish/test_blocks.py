"""A page's blocks are drawn from the results of the checkout; the committed pages' are too."""

import json
import re

import pytest

from benchmarks.publish import blocks
from pipeline.common import errors
from tests.conftest import ROOT

FIGURES = {"unit": "MiB", "median": 1000.0, "min": 999.0, "max": 1e3, "repeats": 3}
ROWS = [{"name": f"ours/peak/{views}", "kind": "peak", "views": views, **FIGURES} for views in (7, 8)]
PAGE = "before\n<!-- memory -->\nan old table\n<!-- end -->\nafter\n"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one result."""
    results = tmp_path / blocks.RESULTS
    results.mkdir(parents=True)
    texts = dict.fromkeys(("command", "device", "git_commit"), "text")
    (results / "memory.json").write_text(json.dumps({"benchmark": "memory", **texts, "versions": {}, "rows": ROWS}))
    return tmp_path


def test_table_is_put_in_the_place_of_the_old_one_and_nothing_else_changes(checkout):
    page = blocks.with_blocks(PAGE, checkout)
    before, begin, heading, *_, end, after = page.splitlines()
    assert (before, begin, end, after) == ("before", "<!-- memory -->", "<!-- end -->", "after")
    assert heading.startswith("| augmented images |")
    assert "an old table" not in page
    assert blocks.with_blocks(page, checkout) == page


def test_unknown_block_is_refused_with_the_known_ones(checkout):
    with pytest.raises(errors.FailedError, match=r"<!-- memmory -->.*training steps, loaders, memory"):
        blocks.with_blocks(PAGE.replace("memory", "memmory"), checkout)


@pytest.mark.parametrize("content", [None, "no JSON", "{}"])
def test_block_without_its_result_is_refused(checkout, content):
    path = checkout / blocks.RESULTS / "memory.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(errors.FailedError, match="<!-- memory -->"):
        blocks.with_blocks(PAGE, checkout)


@pytest.mark.parametrize("page", blocks.PAGES)
def test_committed_page_is_what_the_committed_results_give(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert blocks.with_blocks(text, ROOT) == text
    marks = re.findall("<!--.*", text)
    assert marks
    assert {mark.strip("<!-> ") for mark in marks[::2]} <= set(blocks.BLOCKS)  # else a block is passed over
    assert marks[1::2] == ["<!-- end -->"] * (len(marks) // 2)


def test_every_row_stands_on_the_page_of_results_with_its_command():
    documents = blocks.read_results(ROOT / blocks.RESULTS)
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for document in documents.values():
        assert f"`{document['command']}`" in text
        assert all(f"| {row['name']} | {row['unit']} |" in text for row in document["rows"])
    for plot in (ROOT / blocks.PLOTS).glob("*.png"):
        assert f"![{plot.stem}](results/{plot.name})" in text


def test_every_block_is_on_a_page():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in blocks.PAGES)
    assert all(f"<!-- {name} -->" in text for name in blocks.BLOCKS)


def test_results_are_those_of_benchmarks():
    names = set(blocks.read_results(ROOT / blocks.RESULTS))
    assert {"train_step", "startup"} <= names
    assert not {"schema", "baseline-cifar100"} & names
    assert json.loads((ROOT / blocks.RESULTS / "quick-cifar100.json").read_text())


@pytest.mark.parametrize("page", blocks.PAGES)
def test_links_and_imports_of_a_page_exist(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#]+)", prose) if "://" not in link]
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []
    for module, names in re.findall(r"^ *from ((?:pipeline|models|tuning)[\w.]*) import ([\w, ]+)", text, re.MULTILINE):
        source = ROOT.joinpath(*module.split("."))
        for name in names.split("#")[0].split(","):
            is_module = (source / f"{name.strip()}.py").exists() or (source / name.strip()).is_dir()
            module_file = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
            assert is_module or re.search(rf"\b{name.strip()}\b", module_file.read_text())


def test_names_of_committed_rows_follow_from_their_fields():
    for document in blocks.read_results(ROOT / blocks.RESULTS).values():
        for row in document["rows"]:
            parts = [row[field] for field in ("peer", "transforms", "precision", "metric") if field in row]
            assert all(part in row["name"] for part in parts), row
