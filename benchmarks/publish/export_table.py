"""The table of the exports of runs: what `models.export` has written with --figures.

benchmarks/results/exports/*.json ──▶ a row for each format ──▶ table, commands, layers that lose most
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from models.exporting import formats
from models.reporting import figures
from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column

Document = Mapping[str, Any]
Row = tuple[Document, Document]  # the figures of a run, and those of a format of it
NONE = "None of this version was measured yet."


def table(folder: pathlib.Path) -> list[str]:
    """A row for each format of each run, then a line for each run: where it was measured, and what int8 loses."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    rows = [(document, row) for document in documents for row in document["formats"]]
    if not rows:
        return [NONE]
    return [*markdown_table.lines(COLUMNS, rows), "", *(f"- {_origin(document)}" for document in documents)]


def _percent(heading: str, value: Any, is_optional: bool = False) -> Column[Row]:
    def cell(row: Row) -> str:
        share = value(*row)
        return "" if share is None else figures.percent(share)

    return Column(heading, cell, is_number=True, is_optional=is_optional)


COLUMNS: list[Column[Row]] = [
    Column("run", lambda row: f"`{row[0]['recipe']}`"),
    Column("format", lambda row: f"`{row[1]['format']}`"),
    _percent("agreement, %", lambda document, row: row["agreement"]),
    _percent("coarse agreement, %", lambda document, row: row["coarse_agreement"], is_optional=True),
    _percent("accuracy, %", lambda document, row: row["accuracy"]),
    _percent("float32 model, %", lambda document, row: document["float32"]["accuracy"]),
    _percent("trained model, %", lambda document, row: document["trained"]["accuracy"]),
    Column("bytes", lambda row: f"{row[1]['bytes']:,}", is_number=True),
    Column("ms/image, batch of 1", lambda row: figures.brief(row[1]["ms_per_image"]), is_number=True),
    Column("ms/image, batch of 100", lambda row: figures.brief(row[1]["ms_per_image_of_100"]), is_number=True),
]


def _origin(document: Document) -> str:
    """The command of a run's export, the images, the machine and the commit; the layers that lose most in integers."""
    text = (
        f"`{document['recipe']}`: `{document['command']}`; accuracies are of {document['num_images']:,} "
        f"{document['split']} images, agreement of {document['num_compared']:,}; the trained model computes in "
        f"{document['trained']['precision']}; {document['device']}; commit {str(document['git_commit'])[:7]}"
    )
    layers = [layer for row in document["formats"] for layer in row.get("least_exact_layers", ())]
    names = ", ".join(f"{layer['operation']} `{layer['layer']}` {layer['error']:.2f}" for layer in layers)
    return text + (f". Layers of `{formats.INT8}` that lose most, in steps of their outputs: {names}" if layers else "")
