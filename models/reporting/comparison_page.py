"""Runs side by side, with the differences from the first one, in one self-contained HTML file.

The runs are of one data set and were evaluated on the same split. Differences are paired by image, which needs the
predictions of both runs on the same images.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from models.config import saved
from models.reporting import comparison, figures, page, plots, sections
from models.reporting.sections import Grid
from models.runs.folder import RunFolder
from pipeline.common import errors, files
from pipeline.common.numbers import counted
from pipeline.data_config import HELD_OUT_FIELDS

OF_THE_PLACE = ("data_dir", "archive", saved.FORMAT)  # fields that do not change what is trained
MAX_RUNS = len(plots.RUN_COLOURS)


@dataclasses.dataclass(frozen=True)
class Run:
    """What the files of a run hold, and its name on the page."""

    name: str
    config: Mapping[str, Any]
    rows: plots.Rows
    report: Mapping[str, Any]
    predictions: Mapping[str, Any] | None

    @property
    def evaluated(self) -> Mapping[str, Any] | None:
        """The predictions on the split of the report; None where an earlier version evaluated the run."""
        there = self.predictions
        return there if there and there["split"] == self.report["split"] else None


def read(folders: Sequence[RunFolder]) -> list[Run]:
    """The runs to compare.

    Raises:
      errors.BadArgumentError: they are fewer than two, too many, twice the same, or of several data sets or splits.
      errors.FailedError: a run has not ended.
      errors.DamagedError: a file cannot be read.
    """
    if not 2 <= len(folders) <= MAX_RUNS:
        raise errors.BadArgumentError(
            f"compare: got {counted(len(folders), 'run')}, expected 2 to {MAX_RUNS}, as --compare=RUN,RUN"
        )
    named: dict[pathlib.Path, pathlib.Path] = {}
    for path in (folder.path for folder in folders):
        if first := named.get(path.resolve()):
            raise errors.BadArgumentError(f"compare={path}: is the run {first} again; expected each run once")
        named[path.resolve()] = path
    runs = []
    for folder, name in zip(folders, _names([folder.path for folder in folders]), strict=True):
        folder.check_finished()
        runs.append(Run(name, folder.config(), folder.rows(), folder.report(), folder.evaluated("predictions")))
    for key, remedy in (("dataset", "choose runs of one data set"), ("split", "run models.evaluate on one split")):
        values = {run.name: run.report[key] for run in runs}
        if len(set(values.values())) > 1:
            text = ", ".join(f"{name}: {value}" for name, value in values.items())
            raise errors.BadArgumentError(f"compare: the runs have several values of {key} ({text}); {remedy}")
    return runs


def write(path: pathlib.Path, runs: Sequence[Run]) -> None:
    """Replace the page in `path`; errors as of `files.writing`."""
    with files.writing("out", path):
        files.make_folder(path.parent)
        files.write_text(path, render(runs))


def render(runs: Sequence[Run]) -> str:
    """The page's HTML."""
    first = runs[0]
    curves = {run.name: run.rows for run in runs}
    reason = _not_paired(runs)
    return page.TEMPLATES.get_template("comparison.html.jinja").render(
        names=[run.name for run in runs],
        dataset=figures.dataset_name(first.report["dataset"]),
        warning=figures.stand_in_warning(first.report["dataset"]),
        split=first.report["split"],
        sides=sides(runs),
        paired=None if reason else differences(runs),
        reason=reason,
        num_examples=len(next(iter(first.evaluated["labels"].values()))) if first.evaluated else 0,
        charts=plots.compared(curves, has_coarse=figures.own_coarse_key(first.report) is not None),
        configuration=configuration(runs),
    )


def grids(runs: Sequence[Run]) -> list[Grid]:
    """The tables for a terminal: the runs side by side, and their differences where they can be paired."""
    paired = [] if _not_paired(runs) else [differences(runs)]
    return [sides(runs), *paired]


def sides(runs: Sequence[Run]) -> Grid:
    """The results and costs of the runs, a column each."""
    items = [(*figures.results(dict(run.report)), *figures.costs(dict(run.report))) for run in runs]
    names = dict.fromkeys(item.name for of_run in items for item in of_run)
    values = [{item.name: f"{item.value} {item.unit}".strip() for item in of_run} for of_run in items]
    rows = [[name, *(of_run.get(name, figures.MISSING) for of_run in values)] for name in names]
    recipes = ["Preset", *(figures.recipe(dict(run.report)) for run in runs)]
    return Grid("", ["", *(run.name for run in runs)], [recipes, *rows])


def differences(runs: Sequence[Run]) -> Grid:
    """The accuracies of the runs minus those of the first, paired by image; those that both runs have."""
    headings = ["run", "answer", "difference", "95 % interval", "only first right", "only this right", "p (McNemar)"]
    rows = [
        [run.name, *cells]
        for run in runs[1:]
        for answer, paired in _paired(runs[0], run)
        for cells in [
            [
                answer,
                f"{100 * paired.difference:+.2f}",
                f"{100 * paired.interval[0]:+.2f} to {100 * paired.interval[1]:+.2f}",
                f"{paired.only_first:,}",
                f"{paired.only_second:,}",
                figures.p_value(paired.p_value),
            ]
        ]
    ]
    return Grid(f"Differences from {runs[0].name}, paired by image", headings, rows)


def configuration(runs: Sequence[Run]) -> Grid:
    """The fields in which the configurations differ."""
    names = [name for name in dict.fromkeys(name for run in runs for name in run.config) if name not in OF_THE_PLACE]
    rows = [[name, *(sections.shown(run.config.get(name)) for run in runs)] for name in names]
    return Grid("", ["field", *(run.name for run in runs)], [row for row in rows if len(set(row[1:])) > 1])


def _names(paths: Sequence[pathlib.Path]) -> list[str]:
    """The last parts of the paths, as many as tell them apart."""
    paths = [path.resolve() for path in paths]
    for count in range(1, max(len(path.parts) for path in paths)):
        names = ["/".join(path.parts[-count:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _not_paired(runs: Sequence[Run]) -> str | None:
    """Why the runs cannot be compared image by image; None where they can."""
    split = runs[0].report["split"]
    missing = [run.name for run in runs if run.evaluated is None]
    if missing:
        remedy = f"; models.evaluate --split={split} writes them" if runs[0].report["examples_evaluated"] else ""
        return f"No predictions on {split} of {', '.join(missing)}{remedy or ', where nothing was held out'}."
    first, *others = (run.evaluated or {} for run in runs)
    for other, run in zip(others, runs[1:], strict=True):
        common = first["labels"].keys() & other["labels"].keys()
        if not common:
            return f"{runs[0].name} and {run.name} predict no common level of labels."
        labels = all(first["labels"][level] == other["labels"][level] for level in common)
        if first["records"] != other["records"] or not labels:
            return f"The runs were evaluated on different images of the {split} split."
        if split == "validation" and _held_out(runs[0]) != _held_out(run):
            return (
                f"{runs[0].name} and {run.name} differ in {' or '.join(HELD_OUT_FIELDS)}, by which images are held out."
            )
    return None


def _held_out(run: Run) -> list[Any]:
    data, _ = saved.configs(run.config)
    return [getattr(data, name) for name in HELD_OUT_FIELDS]


def _paired(first: Run, second: Run) -> Iterator[tuple[str, comparison.Paired]]:
    one, other = first.evaluated or {}, second.evaluated or {}
    for level, labels in one["labels"].items():
        if level in one["predicted"] and level in other["predicted"]:
            right = [np.equal(part["predicted"][level], labels) for part in (one, other)]
            yield _answer(level, first, second), comparison.paired(*right)


def _answer(level: str, first: Run, second: Run) -> str:
    """The name of what both runs answer on a level of labels; of the coarse answers, each run has its own."""
    keys = [figures.own_coarse_key(run.report) for run in (first, second)]
    if None in keys:
        return "accuracy"
    if level == "fine":
        return level
    of_first, of_second = (figures.ANSWERS[str(key).removesuffix("_accuracy")] for key in keys)
    return of_second if of_first == of_second else f"{of_second} ({first.name}: {of_first})"
