"""The table of calibration on test, before and after the temperature, of the recipes that have one.

*-cifar100.json ──▶ our_results.Measured ──▶ an Answer for each kind of answer ──▶ table
"""

import dataclasses
import pathlib
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.publish import our_results
from benchmarks.publish.our_results import Measured
from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column


@dataclasses.dataclass(frozen=True)
class Answer:
    """A kind of answer of a recipe, with its measures on test for each seed: `report.json`'s `calibration`."""

    recipe: Measured
    name: str
    seeds: list[dict[str, Any]]

    def mean(self, when: str, measure: str) -> float:
        """A measure over the seeds, "before" or "after" the temperature."""
        return statistics.mean(seed[when][measure] for seed in self.seeds)


def table(results: pathlib.Path) -> list[str]:
    """A row for each kind of answer of each recipe whose temperatures were fitted on validation."""
    return markdown_table.lines(COLUMNS, _answers(results))


def _answers(results: pathlib.Path) -> Iterator[Answer]:
    for recipe in our_results.read(results):
        reports = [(report.get("calibration") or {}).get("test", {}) for report in recipe.reports]
        for name, first in reports[0].items():
            if first["after"]:
                yield Answer(recipe, name, [report[name] for report in reports])


def _measure(name: str, text: Callable[[float], str]) -> list[Column[Answer]]:
    return [
        Column(f"{name} before", lambda answer: text(answer.mean("before", name.lower())), is_number=True),
        Column("after", lambda answer: text(answer.mean("after", name.lower())), is_number=True),
    ]


COLUMNS: list[Column[Answer]] = [
    Column("training", lambda answer: our_results.command(answer.recipe)),
    Column("images", lambda answer: f"{answer.recipe.num_train:,}", is_number=True),
    Column("seeds", lambda answer: str(len(answer.seeds)), is_number=True),
    Column("answer", lambda answer: f"`{answer.name}`"),
    Column(
        "temperature",
        lambda answer: f"{statistics.mean(seed['temperature'] for seed in answer.seeds):.3f}",
        is_number=True,
    ),
    *_measure("ECE", "{:.4f}".format),
    Column("largest", lambda answer: f"{max(seed['after']['ece'] for seed in answer.seeds):.4f}", is_number=True),
    *_measure("NLL", "{:.3f}".format),
    *_measure("Brier", "{:.3f}".format),
    Column("commit", lambda answer: str(answer.recipe.reports[0]["git_commit"])[:7]),
]
