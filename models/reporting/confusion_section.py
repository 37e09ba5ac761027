"""The page's section on confusions: pictures of the matrices, frequent mistakes, accuracy of each superclass."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from models.reporting import confusion, confusion_plots, figures

NUM_MISTAKES = 10
COARSE_SOURCES = {"head": "from the coarse head", "summed": "summed from the fine probabilities"}


def values(document: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a `confusion.json` for the template `confusion.html.jinja`.

    Pictures are (name, note, SVG); tables are (caption, heads, rows of text).
    """
    fine = confusion.read(document["fine"]) if document["fine"] else None
    coarse = confusion.read(document["coarse"])
    note = f"the model's coarse prediction, {COARSE_SOURCES[document['coarse_source']]}; in %, empty below 0.5"
    pictures = [("Coarse", note, Markup(confusion_plots.coarse(coarse)))]
    tables = [_superclasses(fine, coarse)]
    if fine:
        pictures.insert(0, ("Fine", "classes ordered by superclass", Markup(confusion_plots.fine(fine))))
        tables.insert(0, _mistakes(fine))
    return {
        "split": document["split"],
        "num_examples": document["examples_evaluated"],
        "within_superclass": confusion.share_within_superclass(fine) if fine else None,
        "pictures": pictures,
        "tables": tables,
    }


Table = tuple[str, list[str], list[list[str]]]


def _mistakes(fine: confusion.Matrix) -> Table:
    rows = [
        [
            mistake.true,
            mistake.predicted,
            figures.brief(100 * mistake.share),
            "yes" if mistake.is_within_superclass else "no",
        ]
        for mistake in confusion.most_confused(fine, NUM_MISTAKES)
    ]
    return "Most frequent fine mistakes", ["true class", "predicted class", "of its images, %", "same superclass"], rows


def _superclasses(fine: confusion.Matrix | None, coarse: confusion.Matrix) -> Table:
    matrices = {"fine, %": fine, "coarse, %": coarse}
    columns = {head: confusion.accuracy_by_superclass(matrix) for head, matrix in matrices.items() if matrix}
    rows = [[name, *(figures.percent(column[name]) for column in columns.values())] for name in coarse.names]
    return "Accuracy by superclass", ["superclass", *columns], rows
