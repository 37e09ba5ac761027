"""What our own recipes reach on CIFAR-100's test images and cost, read from benchmarks/results.

*-cifar100.json ──reports on test──▶ seeds of a recipe together ──▶ Measured
"""

import dataclasses
import json
import pathlib
import statistics
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from models.reporting import figures
from pipeline.common import errors

Report = dict[str, Any]

NEEDED = {"dataset", "preset", "split", "seed", "num_train", "fine_accuracy", "train_petaflop"}


@dataclasses.dataclass(frozen=True)
class Measured:
    """One recipe of ours on test, a single view an image.

    Attributes:
      name: the preset, and what the runs have otherwise.
      fine_percents: fine accuracy on test of each seed, 0 to 100.
      petaflop: of one training.
      num_train: images that it trained on.
    """

    name: str
    fine_percents: tuple[float, ...]
    petaflop: float
    num_train: int

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.mean(self.fine_percents)

    @property
    def deviation(self) -> float | None:
        """The sample's standard deviation; None of one seed."""
        return statistics.stdev(self.fine_percents) if len(self.fine_percents) > 1 else None


def read(folder: pathlib.Path) -> list[Measured]:
    """Our recipes that were evaluated on CIFAR-100's test images, the cheapest first.

    Raises:
      errors.BadArgumentError: the folder holds none, or a file that is no JSON.
    """
    found = [recipe for path in sorted(folder.glob("*-cifar100.json")) for recipe in _recipes(_document(path))]
    if not found:
        raise errors.BadArgumentError(
            f"results_dir={folder}: no *-cifar100.json there has a report on test; evaluate a run with --split=test"
        )
    return sorted(found, key=lambda recipe: recipe.petaflop)


def _document(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise errors.BadArgumentError(f"{path}: expected a JSON file, but {error}") from error


def _recipes(document: Any) -> list[Measured]:
    """The recipes of one file; those of two files may be of two versions of the code and stay apart."""
    groups: defaultdict[tuple[str, int], dict[int, Report]] = defaultdict(dict)
    for report in _test_reports(document):
        groups[_name(report), report["num_train"]][report["seed"]] = report
    return [
        Measured(
            name,
            tuple(100 * report["fine_accuracy"] for report in by_seed.values()),
            statistics.mean(report["train_petaflop"] for report in by_seed.values()),
            num_train,
        )
        for (name, num_train), by_seed in groups.items()
    ]


def _test_reports(document: Any) -> Iterator[Report]:
    """Wherever they stand: files have one report, or a list of runs, or whatever a later benchmark writes."""
    if isinstance(document, dict) and document.keys() >= NEEDED:
        split = (document["dataset"], document["split"])
        if split == (figures.REAL_DATASET, "test") and document["fine_accuracy"] is not None:
            yield document
    elif isinstance(document, dict | list):
        for part in document.values() if isinstance(document, dict) else document:
            yield from _test_reports(part)


def _name(report: Report) -> str:
    changes = {key: value for key, value in report.get("preset_changes", {}).items() if key != "num_validation"}
    return figures.recipe({**report, "preset_changes": changes})  # num_train tells what num_validation left
