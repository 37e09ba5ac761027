"""A class for each cell by the length of its text: the style sheet keeps rows low, and wide tables scroll."""

from docutils import nodes
from sphinx.application import Sphinx

SHORT, LONG, VERY_LONG = 24, 50, 200  # characters


def classify(app: Sphinx, page: nodes.document) -> None:
    """Give each cell of a page the class `short`, `long` or `very-long`, or none."""
    for cell in page.findall(nodes.entry):
        length = len(cell.astext())
        if length <= SHORT:
            cell["classes"].append("short")
        elif length > LONG:
            cell["classes"].append("very-long" if length > VERY_LONG else "long")


def setup(app: Sphinx) -> dict[str, bool]:
    """Classify the cells of each page that was read."""
    app.connect("doctree-read", classify)
    return {"parallel_read_safe": True}
