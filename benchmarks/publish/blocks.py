"""Blocks of a Markdown page that are drawn from committed results: lines between two comments.

<!-- loaders -->
...
<!-- end -->
"""

import functools
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.harness import results
from benchmarks.publish import (
    answers,
    benchmark_tables,
    calibration_table,
    export_table,
    fault_tables,
    main_results,
    original_study,
    our_results,
    published_results,
    studies_table,
)
from models.reporting import figures
from pipeline.common import errors

PAGES = (
    "README.md",
    "docs/results.md",
    "docs/augmentation.md",
    "docs/tuning.md",
    "docs/original_study.md",
    "docs/calibration.md",
    "docs/export.md",
    "docs/distribution.md",
    "docs/studies.md",
)
RESULTS = pathlib.Path("benchmarks", "results")
STUDIES = pathlib.Path("docs", "studies")
SESSIONS = pathlib.Path("docs", "sessions")
PLOTS = pathlib.Path("docs", "results")
CORRUPTIONS = pathlib.Path("docs", "corruptions.png")
CHART = pathlib.Path("docs", "accuracy_cost.png")
_BLOCK = re.compile(r"(?P<begin><!-- (?!end)(?P<name>[\w ]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def with_blocks(text: str, checkout: pathlib.Path) -> str:
    """The page with its blocks drawn from a checkout's results; FailedError for an unknown name or broken results."""

    def drawn(block: re.Match[str]) -> str:
        name = block["name"]
        if name not in BLOCKS:
            raise errors.FailedError(f"<!-- {name} -->: expected one of {', '.join(BLOCKS)}")
        try:
            lines = BLOCKS[name](checkout)
        except errors.BadArgumentError as error:
            raise errors.FailedError(f"<!-- {name} -->: {error}") from error
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            message = f"<!-- {name} -->: expected results that benchmarks or tuning.study wrote ({error!r})"
            raise errors.FailedError(message) from error
        return block["begin"] + "\n".join(lines) + "\n" + block["end"]

    return _BLOCK.sub(drawn, text)


def read_results(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Every benchmark's result in a folder, by the name of its file without the ending."""
    return {path.stem: document for path, document in results.read_folder(folder).items()}


def _every_result(checkout: pathlib.Path) -> list[str]:
    """A section for each result: its command and machine, its plot if there is one, its rows."""
    lines = []
    for name, document in read_results(checkout / RESULTS).items():
        versions = ", ".join(f"{package} {version}" for package, version in document["versions"].items())
        lines += [f"### {name}", "", f"`{document['command']}`", ""]
        notes = {note for run in document.get("runs", ()) if (note := figures.split_note(run["report"]))}
        origin = [document["device"], versions, f"commit {document['git_commit']}", *notes]
        lines += ["; ".join(origin), ""]
        lines += [f"![{name}](results/{name}.png)", ""] if (checkout / PLOTS / f"{name}.png").exists() else []
        lines += [*benchmark_tables.all_rows(document), ""]
    return lines[:-1]


def _of_benchmark(name: str, table: Callable[[Mapping[str, Any]], list[str]]) -> Callable[[pathlib.Path], list[str]]:
    path = RESULTS / f"{name}.json"
    return lambda checkout: table(results.read(checkout / path, f"{checkout / path}:"))


def _session(name: str, checkout: pathlib.Path) -> list[str]:
    return answers.session(checkout / SESSIONS, name)


BLOCKS: dict[str, Callable[[pathlib.Path], list[str]]] = {
    "main results": lambda checkout: main_results.table(checkout / RESULTS),
    "our presets": lambda checkout: our_results.table(our_results.read(checkout / RESULTS)),
    "published results": lambda _: published_results.table(),
    "training steps": _of_benchmark("train_step", benchmark_tables.training_steps),
    "loaders": _of_benchmark("input", benchmark_tables.loaders),
    "memory": _of_benchmark("memory", benchmark_tables.memory),
    "measured replicas": _of_benchmark("replicas", benchmark_tables.measured_replicas),
    "projected replicas": _of_benchmark("replicas", benchmark_tables.projected_replicas),
    "calibration": lambda checkout: calibration_table.table(checkout / RESULTS),
    "exports": lambda checkout: export_table.table(checkout / RESULTS / "exports"),
    "faults": lambda checkout: fault_tables.table(checkout / RESULTS / "faults"),
    "mutants": lambda checkout: fault_tables.mutants(checkout / RESULTS / "faults"),
    "studies": lambda checkout: studies_table.table(checkout / STUDIES),
    "every result": _every_result,
    "models of the original study": lambda checkout: original_study.models(checkout / RESULTS),
    "lengths of augmentation": lambda checkout: answers.lengths(checkout / STUDIES),
    "networks at equal cost": lambda checkout: answers.networks(checkout / STUDIES),
    **{f"session {name}": functools.partial(_session, name) for name in ("heads", "original", "full")},
    "hypotheses of the original study": lambda checkout: original_study.hypotheses(checkout / STUDIES),
}
