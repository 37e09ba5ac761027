"""A warning, which fails `make docs`, for each page with little text: it says nothing, or belongs to another page."""

import math
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

MIN_LINES = 30
LINE_LENGTH = 100  # characters


def check_length(app: Sphinx, page: nodes.document, name: str) -> None:
    """Warn about a page of fewer than MIN_LINES lines of text."""
    count = sum(math.ceil(len(line) / LINE_LENGTH) for line in text_lines(page))
    if count < MIN_LINES:
        message = "%d lines of text, expected at least %d: write more, or merge the page with another one"
        logging.getLogger(__name__).warning(message, count, MIN_LINES, location=name)


def text_lines(node: nodes.Element) -> Iterator[str]:
    """The lines of a page's text; the row of a table is one line."""
    if isinstance(node, nodes.TextElement | nodes.row):
        yield from filter(str.strip, node.astext().replace("\n\n", " ").splitlines())
    else:
        for child in node.children:
            if isinstance(child, nodes.Element):
                yield from text_lines(child)


def setup(app: Sphinx) -> dict[str, bool]:
    """Check each page when its links are resolved."""
    app.connect("doctree-resolved", check_length)
    return {"parallel_read_safe": True}
