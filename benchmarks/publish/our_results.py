"""Accuracy on CIFAR-100's test images and cost of our recipes, from benchmarks/results.

*-cifar100.json ──▶ reports on test ──▶ grouped by recipe ──▶ Measured
"""

import dataclasses
import pathlib
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from models.reporting import figures
from models.runs import schemas
from pipeline.common import errors, files, json_values, markdown_table
from pipeline.common.json_values import INTEGER, NUMBER, NUMBER_OR_NULL, TEXT, required
from pipeline.common.markdown_table import Column

Report = dict[str, Any]

_REPORT = required(
    {"fine_accuracy": NUMBER_OR_NULL, "train_petaflop": NUMBER, "preset": TEXT}
    | dict.fromkeys(("seed", "num_train"), INTEGER),
    **{name: schemas.REPORT["properties"][name] for name in schemas.REPORT["required"]},
)
NEEDED = {"dataset", "preset", "split", "seed", "num_train", "fine_accuracy", "train_petaflop"}


@dataclasses.dataclass(frozen=True)
class Measured:
    """One recipe, with the report of each seed: evaluated on test, a single view of each image."""

    name: str
    reports: Sequence[Report]

    @property
    def fine_percents(self) -> list[float]:
        """Fine accuracy on test of each seed, 0 to 100; empty for a model of coarse labels."""
        return [100 * report["fine_accuracy"] for report in self.reports if report["fine_accuracy"] is not None]

    @property
    def mean(self) -> float:
        """Of fine accuracy over the seeds, 0 to 100."""
        return statistics.mean(self.fine_percents)

    @property
    def deviation(self) -> float | None:
        """The sample's standard deviation of fine accuracy; None for one seed."""
        return statistics.stdev(self.fine_percents) if len(self.reports) > 1 else None

    @property
    def petaflop(self) -> float:
        """Of one training."""
        return statistics.mean(report["train_petaflop"] for report in self.reports)

    @property
    def num_train(self) -> int:
        """Images that it trained on."""
        return self.reports[0]["num_train"]


def _spread(key: Callable[[Report], str]) -> Callable[[Measured], str]:
    """The mean of an accuracy over the seeds, in percent, and its standard deviation."""

    def text(recipe: Measured) -> str:
        values = [report[key(report)] for report in recipe.reports]
        if None in values:
            return figures.MISSING
        return figures.spread(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)

    return text


def _of_first_seed(key: str) -> Callable[[Measured], str]:
    return lambda recipe: f"{recipe.reports[0][key]:,.0f}"


def command(recipe: Measured) -> str:
    """The command that trains the first seed, as code of Markdown."""
    report = recipe.reports[0]
    changes = [f" --{name}={value}" for name, value in report["preset_changes"].items()]
    return f"`python -m models.train --preset={report['preset']}{''.join(changes)}`"


def _executed(recipe: Measured) -> str:
    """Petaflop that the machine multiplied, the optimizer's included; MISSING in reports of earlier versions."""
    report = recipe.reports[0]
    if "executed_petaflop" not in report:
        return figures.MISSING
    return f"{report['executed_petaflop'] + report['optimizer_petaflop']:#.3g}"


fine = _spread(lambda _: "fine_accuracy")
coarse = _spread(lambda report: figures.own_coarse_key(report) or "")

COLUMNS: list[Column[Measured]] = [
    Column("command", command),
    Column("seeds", lambda recipe: str(len(recipe.reports)), is_number=True),
    Column("fine (%)", fine, is_number=True),
    Column("coarse (%)", coarse, is_number=True),
    Column("PFLOP", lambda recipe: f"{recipe.petaflop:#.3g}", is_number=True),
    Column("executed PFLOP", _executed, is_number=True),
    Column("seconds", _of_first_seed("train_seconds"), is_number=True),
    Column("MiB", _of_first_seed("peak_rss_mib"), is_number=True),
    Column("parameters", _of_first_seed("num_parameters"), is_number=True),
    Column("device", lambda recipe: recipe.reports[0]["device"]),
    Column("note", lambda recipe: figures.split_note(recipe.reports[0]), is_optional=True),
]


def table(recipes: Sequence[Measured]) -> list[str]:
    """A row for each recipe: the command, accuracies on test, costs."""
    return markdown_table.lines(COLUMNS, recipes)


def read(folder: pathlib.Path) -> list[Measured]:
    """The recipes evaluated on CIFAR-100's test images, the cheapest first; BadArgumentError for none or no JSON."""
    recipes = [recipe for path in sorted(folder.glob("*-cifar100.json")) for recipe in _recipes(_document(path))]
    if not recipes:
        remedy = "evaluate a run with --split=test"
        raise errors.BadArgumentError(f"results_dir={folder}: no *-cifar100.json there has a report on test; {remedy}")
    return sorted(recipes, key=lambda recipe: recipe.petaflop)


def charted(folder: pathlib.Path) -> list[Measured]:
    """The recipes that the chart shows; docs/original_study.md has those of the original study."""
    return [recipe for recipe in read(folder) if not recipe.name.startswith("original")]


def _document(path: pathlib.Path) -> Any:
    def check(document: Any) -> None:
        for report in _test_reports(document):
            json_values.check(report, _REPORT)

    try:
        return files.read_json(path, f"{path}:", "evaluate its runs again", check=check)
    except errors.FailedError as error:
        raise errors.BadArgumentError(str(error)) from error


def _recipes(document: Any) -> list[Measured]:
    """The recipes of one file. Runs in two files stay separate: two versions of the code may have trained them."""
    groups: defaultdict[tuple[str, int], dict[int, Report]] = defaultdict(dict)
    for report in _test_reports(document):
        groups[_name(report), report["num_train"]][report["seed"]] = report
    return [Measured(name, list(by_seed.values())) for (name, _), by_seed in groups.items()]


def _test_reports(document: Any) -> Iterator[Report]:
    """The reports on CIFAR-100's test images: a file has one, or a list of runs."""
    if isinstance(document, dict) and document.keys() >= NEEDED:
        if (document["dataset"], document["split"]) == (figures.REAL_DATASET, "test"):
            yield document
    elif isinstance(document, dict | list):
        for part in document.values() if isinstance(document, dict) else document:
            yield from _test_reports(part)


def _name(report: Report) -> str:
    changes = {key: value for key, value in report.get("preset_changes", {}).items() if key != "num_validation"}
    return figures.recipe({**report, "preset_changes": changes})  # num_train shows what num_validation left
