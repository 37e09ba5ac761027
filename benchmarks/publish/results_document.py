"""The page of every committed measurement, as text: each with its machine and its command."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common import markdown_table

RESULTS = pathlib.Path(__file__).parents[1] / "results"
COLUMNS = ("median", "min", "max", "repeats")
SHOWN = (
    "peak_mib",
    "ceiling_share",
    "cpu_s_per_million",
    "tflops",
    "first_call_s",
    "batch_size",
    "processes",
    "limit",
    "trials",
    "epochs",
    "predicted",
    "mode",
    "version",
)


def read(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Every result of a benchmark in a folder, by its file's name without the ending."""
    documents = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    return {name: document for name, document in documents.items() if "benchmark" in document}


def page(documents: Mapping[str, Mapping[str, Any]], pictures: Mapping[str, str]) -> str:
    """The whole page.

    Args:
      documents: of `read`.
      pictures: by the document's name, the file in results/ that shows it.
    """
    lines = [
        "# Results",
        "",
        "Drawn by `make tables` from `benchmarks/results`; each section is",
    ]
    lines += ["one command on one machine. Spreads are the least and the most of the rounds; a ratio is the median of"]
    lines += ["the rounds' ratios, which need not be the ratio of the medians.", ""]
    for name, document in documents.items():
        lines += [f"## {name}", "", *_origin(document), ""]
        if name in pictures:
            lines += [f"![{name}](results/{pictures[name]})", ""]
        lines += [*_table(document["rows"]), ""]
        ratios = [row for row in document["rows"] if "ratio" in row]
        lines += [f"- {row['ratio']:.2f}x: {' beside '.join(row['ratio_of'])}" for row in ratios]
        lines += [""] if ratios else []
    return "\n".join(lines).rstrip() + "\n"


def _origin(document: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return [f"`{document['command']}`", "", f"{document['device']}; {versions}; commit {document['git_commit']}"]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    more = [name for name in SHOWN if any(name in row for row in rows)]
    has_means = any("mean" in row for row in rows)
    heading = ["row", "unit", *(("mean", "standard deviation") if has_means else ()), *COLUMNS, *more]
    table = []
    for row in rows:
        means = (_number(row.get("mean")), _number(row.get("standard_deviation"))) if has_means else ()
        table.append(
            [row["name"], row["unit"], *means, *(_number(row.get(name)) for name in COLUMNS)]
            + [_number(row.get(name)) for name in more]
        )
    return markdown_table.lines(heading, table)


def _number(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
