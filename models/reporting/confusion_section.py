"""The page's section on what is taken for what: two pictures, the most frequent mistakes, and each superclass."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from models.reporting import confusion, confusion_plots, figures

NUM_MISTAKES = 10
COARSE_SOURCES = {"head": "from its own head", "summed": "summed from the fine probabilities"}


def render(found: Mapping[str, Any] | None) -> str:
    """The section's HTML; nothing for a run that `models.evaluate` has not evaluated.

    Args:
      found: what `confusion.json` holds, if there is one.
    """
    if found is None:
        return ""
    fine = confusion.read(found["fine"]) if found["fine"] else None
    coarse = confusion.read(found["coarse"])
    own = f"the model's own answer, {COARSE_SOURCES[found['coarse_source']]}; in %, empty below 0.5"
    pictures = _picture("Coarse", own, confusion_plots.coarse(coarse))
    tables = _superclasses(fine, coarse)
    if fine:
        pictures = _picture("Fine", "classes ordered by superclass", confusion_plots.fine(fine)) + pictures
        tables = _mistakes(fine) + tables
    return f"""<h2>What is taken for what</h2>
<p class="quiet">Of the {escape(found["split"])} split, {found["examples_evaluated"]:,} examples, single view. \
Rows are true classes and sum to 100 %.{_told(fine)}</p>
{pictures}<div class="tables">
{tables}</div>
"""


def _told(fine: confusion.Matrix | None) -> str:
    share = confusion.share_within_superclass(fine) if fine else None
    return "" if share is None else f" {100 * share:.0f} % of the fine mistakes stay in their superclass."


def _picture(name: str, note: str, svg: str) -> str:
    return f'<figure class="matrix" tabindex="0"><figcaption>{name}<span>{note}</span></figcaption>{svg}</figure>\n'


def _mistakes(fine: confusion.Matrix) -> str:
    rows = (
        (mistake.true, mistake.answer, figures.brief(100 * mistake.share), _yes_or_no(mistake.is_within_superclass))
        for mistake in confusion.most_confused(fine, NUM_MISTAKES)
    )
    return _table(
        "Most frequent fine mistakes", ("true class", "taken for", "of its images, %", "same superclass"), rows
    )


def _superclasses(fine: confusion.Matrix | None, coarse: confusion.Matrix) -> str:
    matrices = {"fine, %": fine, "coarse, %": coarse}
    columns = {head: confusion.accuracy_by_superclass(matrix) for head, matrix in matrices.items() if matrix}
    rows = ((name, *(figures.percent(column[name]) for column in columns.values())) for name in coarse.names)
    return _table("Accuracy by superclass", ("superclass", *columns), rows)


def _yes_or_no(answer: bool) -> str:
    return "yes" if answer else "no"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>\n" for row in rows)
    return f"""<div class="scroll"><table><caption>{caption}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}</tbody></table></div>
"""
