"""The documentation site: Sphinx builds it from the pages in this folder (`make docs`)."""

import inspect
import math
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.common.config import Config, as_text, settings  # noqa: E402

project = "streaming-cifar100"
copyright = "the authors of streaming-cifar100; Apache License 2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]

# Pages are GitHub's Markdown, so that they read there as well; headings have the anchors that GitHub gives them.
myst_heading_anchors = 4

# Docstrings are in Google's style, with code between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_use_ivar = True

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

MIN_LINES = 30
LINE_LENGTH = 120


def add_fields(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Append the fields of a configuration to its docstring: type, range, default and help text."""
    if what != "class" or not issubclass(documented, Config):
        return
    for field in settings(documented).values():
        kind = field.kind.__name__ if isinstance(field.kind, type) else str(field.kind)
        help_text = re.sub(r"([*`|_\\])", r"\\\1", field.help)
        lines.append(f":param {kind} {field.name}: {help_text} (default: ``{as_text(field.default)!r}``)")


def use_init(
    app: Sphinx, what: str, name: str, documented: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Take the signature of a Keras layer from its `__init__`: Keras's `__new__` hides it."""
    if what == "class" and "__init__" in vars(documented):
        parameters = list(inspect.signature(documented.__init__).parameters.values())[1:]
        return str(inspect.Signature(parameters)), returned
    return signature, returned


def check_length(app: Sphinx, page: nodes.document, name: str) -> None:
    """Warn, and so fail the build, about a page of fewer than MIN_LINES lines of text."""
    count = sum(math.ceil(len(line) / LINE_LENGTH) for line in text_lines(page))
    if count < MIN_LINES:
        message = "%d lines of text, expected at least %d: write more or merge it with another page"
        logging.getLogger(__name__).warning(message, count, MIN_LINES, location=name)


def text_lines(node: nodes.Element) -> Iterator[str]:
    """The lines of a page's text; a row of a table is one."""
    if isinstance(node, nodes.TextElement | nodes.row):
        yield from filter(str.strip, node.astext().replace("\n\n", " ").splitlines())
    else:
        for child in node.children:
            if isinstance(child, nodes.Element):
                yield from text_lines(child)


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", add_fields)
    app.connect("autodoc-process-signature", use_init)
    app.connect("doctree-resolved", check_length)
