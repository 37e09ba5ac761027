"""Cells of much text get a class, so that the style sheet keeps them wide and the table scrolls instead."""

from docutils import nodes
from sphinx.application import Sphinx

MANY_CHARACTERS = 50


def mark(app: Sphinx, page: nodes.document) -> None:
    """Give the class `wide` to each cell of more than MANY_CHARACTERS."""
    for cell in page.findall(nodes.entry):
        if len(cell.astext()) > MANY_CHARACTERS:
            cell["classes"].append("wide")


def setup(app: Sphinx) -> dict[str, bool]:
    """Mark the cells of each page that was read."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True}
