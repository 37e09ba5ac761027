"""The documentation site: its navigation and its API pages name what exists; a slow test breaks it and builds it."""

import ast
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

DOCS = ROOT / "docs"
TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)
DOCUMENTED = re.compile(r"^\.\. auto\w+:: (\S+)$", re.MULTILINE)


def test_every_page_is_in_the_navigation():
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")} - {"index"}
    named = set()
    for page in DOCS.rglob("*.md"):
        for entry in re.findall(
            r"^[\w/*]+$", "\n".join(TOCTREE.findall(page.read_text(encoding="utf-8"))), re.MULTILINE
        ):
            found = {path.relative_to(DOCS).with_suffix("").as_posix() for path in page.parent.glob(f"{entry}.md")}
            assert found, entry
            named |= found
    assert named == pages


def test_api_pages_name_what_exists():
    names = {name for page in (DOCS / "api").glob("*.md") for name in DOCUMENTED.findall(page.read_text("utf-8"))}
    assert len(names) > 100
    missing = [name for name in names if not exists(name)]
    assert not missing


def exists(name: str) -> bool:
    """Whether a module, or a name that it defines or imports, exists."""
    path = ROOT / name.replace(".", "/")
    if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
        return True
    module, _, attribute = name.rpartition(".")
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.exists() else []
    return attribute in {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


LONG_PAGE = "# A page\n\n" + "A line.\n\n" * 30
BROKEN = {
    "a link": (LONG_PAGE + "[x](missing.md)", "'missing.md'"),
    "a link to code": (LONG_PAGE + "[x](../code/missing.py)", "'../code/missing.py'"),
    "an anchor": (LONG_PAGE + "[x](#missing)", "'missing'"),
    "an image": (LONG_PAGE + "![x](missing.png)", "missing.png"),
    "a short page": ("# A page\n\nOne line.", "expected at least 30"),
    "a missing page": (LONG_PAGE + "```{toctree}\nmissing\n```", "nonexisting document 'missing'"),
}


@pytest.mark.slow
def test_a_mistake_fails_the_build(tmp_path):
    pytest.importorskip("sphinx", reason="requirements-docs.txt is not installed; make docs does it")
    docs = tmp_path / "docs"
    shutil.copytree(DOCS / "_extensions", docs / "_extensions")
    shutil.copytree(DOCS / "_static", docs / "_static")
    shutil.copy(DOCS / "conf.py", docs)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/example.py").write_text('"""An example."""\n')

    good = build(docs, LONG_PAGE + "[x](../code/example.py) [y](../code)")
    assert good.returncode == 0, good.stderr
    site = tmp_path / "site"
    assert 'href="repository/code/example.py.html"' in (site / "index.html").read_text()
    assert "An example." in (site / "repository/code/example.py.html").read_text()
    assert 'href="code/example.py.html"' in (site / "repository/code.html").read_text()
    for mistake, (text, message) in BROKEN.items():
        done = build(docs, text)
        assert done.returncode != 0, mistake
        assert message in done.stderr, mistake
    (docs / "outside.md").write_text(LONG_PAGE)
    assert "outside.md: WARNING: document isn't included in any toctree" in build(docs, LONG_PAGE).stderr


def build(docs: pathlib.Path, index: str) -> "subprocess.CompletedProcess[str]":
    (docs / "index.md").write_text(index)
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--fresh-env"]
    return subprocess.run([*command, str(docs), str(docs.parent / "site")], capture_output=True, text=True, cwd=ROOT)
