"""README's table of memory against augmented images, drawn from what `benchmarks.memory` wrote."""

from collections.abc import Mapping
from typing import Any

from pipeline.common import markdown_table

OURS, STUDY = "ours/peak/", "peer/study/peak/"


def table(document: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown: a row a number of views, then one a limit, then the leak."""
    rows = {row["name"]: row for row in document["rows"]}
    views = [int(name.removeprefix(OURS)) for name in rows if name.startswith(OURS)]
    lines = markdown_table.lines(
        ("augmented images", "ours, MiB at the peak", "the study's way, MiB at the peak"),
        [(f"{count:,}", _mib(rows.get(f"{OURS}{count}")), _mib(rows.get(f"{STUDY}{count}"))) for count in views],
    )
    limits = dict.fromkeys(name.split("/")[1] for name in rows if name.startswith("ours/limit_"))
    leak = [f"- {_leak(rows['ours/leak'])}"] if "ours/leak" in rows else []
    return [*lines, "", *(f"- {_limit(limit, rows)}" for limit in limits), *leak]


def _mib(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    if row.get("predicted"):
        return f"{row['median']:,.0f}, computed: it does not fit here"
    spread = f" ({row['min']:,.0f} to {row['max']:,.0f})" if row["repeats"] > 1 else ""
    return f"{row['median']:,.0f}{spread}"


def _limit(limit: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """What became of both under a limit: ours on the most views, the study's way on as many as it could."""
    gib = limit.removeprefix("limit_").removesuffix("GiB")
    ours = next(row for name, row in rows.items() if name.startswith(f"ours/{limit}/"))
    views, trained = int(ours["name"].rsplit("/", 1)[1]), ours["median"]
    text = f"ours trains on {trained:,.0f} of {views:,}" if trained else f"ours dies with {views:,}"
    tried = {int(name.rsplit("/", 1)[1]): row for name, row in rows.items() if name.startswith(f"peer/study/{limit}/")}
    held = [f"{count:,}" for count, row in tried.items() if row["median"]]
    died = [f"{count:,}" for count, row in tried.items() if not row["median"]]
    fates = [f"holds {' and '.join(held)}"] if held else []
    fates += [f"dies on the way to {' and '.join(died)}"] if died else []
    study = f"; the study's array {' and '.join(fates)}" if fates else ""
    return f"Under {gib} GiB of data {text}{study}."


def _leak(row: Mapping[str, Any]) -> str:
    return (
        f"Over {row['epochs']} epochs of {row['views']:,} views, memory grows by {row['median']:.1f} KiB an epoch "
        f"({row['min']:.1f} to {row['max']:.1f} over the whole and either half), at {row['median_mib']:,.0f} MiB."
    )
