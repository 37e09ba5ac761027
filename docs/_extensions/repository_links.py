"""Links from pages to files and folders that are no pages, such as code: the site has a page of each.

The same link, such as `[loop.py](../models/training/loop.py)`, works on GitHub. A link to a file that does not exist
is left to Sphinx, which fails the build.
"""

import ast
import pathlib
import shutil
from collections.abc import Iterator
from html import escape
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx

DOCS = pathlib.Path(__file__).resolve().parent.parent
ROOT = DOCS.parent
# Documents outside of docs/ that the site shows as pages of its own.
PAGES = {"README.md": "index", "CONTRIBUTING.md": "contributing", "CHANGELOG.md": "changelog"}
INCLUDED = {"contributing", "changelog"}  # pages whose text, and so the base of their links, is in the root

Page = tuple[str, dict[str, Any], str]


def link(app: Sphinx, page: nodes.document) -> None:
    """Make links to the repository point to pages of the site."""
    name = app.env.docname
    base = ROOT if name in INCLUDED else (DOCS / name).parent
    for node in [*page.findall(addnodes.pending_xref), *page.findall(addnodes.download_reference)]:
        if node.get("reftype") != "myst":
            continue
        text, _, anchor = node["reftarget"].partition("#")
        path = (base / (f"{text}.md" if node["refdomain"] == "doc" else text)).resolve()
        is_page = path.is_relative_to(DOCS) and not isinstance(node, addnodes.download_reference)
        if not path.exists() or not path.is_relative_to(ROOT) or is_page:
            continue
        page_of_root = PAGES.get(path.relative_to(ROOT).as_posix())
        if page_of_root:  # which MyST resolves, and it checks the anchor
            anchor = node.get("reftargetid") or anchor
            node["refdomain"], node["reftarget"] = "doc", page_of_root
            node["reftargetid"] = anchor if page_of_root in INCLUDED else None
        else:
            linked(app).add(path)
            target = app.builder.get_relative_uri(name, page_name(path))
            node.replace_self(nodes.reference("", "", *node.children, refuri=target))


def pages(app: Sphinx) -> Iterator[Page]:
    """A page for each linked file, and for each folder with all that it contains."""
    pending, done = sorted(linked(app)), set()
    while pending:
        path = pending.pop()
        if path in done:
            continue
        done.add(path)
        children = contents(path) if path.is_dir() else []
        pending += children
        title = path.relative_to(ROOT).as_posix()
        body = folder_html(app, path, children) if path.is_dir() else file_html(app, path)
        yield page_name(path), {"title": title, "body": f"<h1>{escape(title)}</h1>\n{body}"}, "page.html"


def contents(folder: pathlib.Path) -> list[pathlib.Path]:
    """The code, results and packages in a folder."""
    is_listed = [path.suffix in (".py", ".json") or (path / "__init__.py").exists() for path in folder.iterdir()]
    return sorted(path for path, listed in zip(folder.iterdir(), is_listed, strict=True) if listed)


def folder_html(app: Sphinx, folder: pathlib.Path, children: list[pathlib.Path]) -> str:
    """The table of a folder: each file, and the first line of its docstring."""
    rows = []
    for path in children:
        target = app.builder.get_relative_uri(page_name(folder), page_name(path))
        name = f'<a class="reference internal" href="{target}">{escape(path.name)}</a>'
        rows.append(f"<tr><td>{name}</td><td>{escape(summary(path))}</td></tr>")
    return f'<div class="table-wrapper"><table class="docutils">{"".join(rows)}</table></div>'


def file_html(app: Sphinx, path: pathlib.Path) -> str:
    """The highlighted text of a file, or the picture that it holds."""
    if path.suffix in (".png", ".svg"):
        copy = pathlib.Path(app.outdir, page_name(path))
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        return f'<img src="{path.name}" alt="{path.stem}">'
    try:
        language = get_lexer_for_filename(path.name).aliases[0]
    except ClassNotFound:  # such as LICENSE
        language = "text"
    return app.builder.highlighter.highlight_block(path.read_text(encoding="utf-8"), language)


def summary(path: pathlib.Path) -> str:
    """The first line of a module's or package's docstring; "" if it has none."""
    module = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) if module.suffix == ".py" else None
    return (text or "").partition("\n")[0]


def page_name(path: pathlib.Path) -> str:
    """The site's page of a file or folder."""
    return f"repository/{path.relative_to(ROOT).as_posix()}"


def linked(app: Sphinx) -> set[pathlib.Path]:
    """The files and folders that pages link to."""
    if not hasattr(app.env, "repository_links"):
        app.env.repository_links = set()
    return app.env.repository_links


def setup(app: Sphinx) -> None:
    """Replace links before Sphinx collects files to download, and add the pages."""
    app.connect("doctree-read", link, priority=100)
    app.connect("html-collect-pages", pages)
