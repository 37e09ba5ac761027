"""The rows of `benchmarks.robustness`, and their tables on the terminal."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.harness import results
from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.robustness import detection
from benchmarks.robustness.corruptions import EXTRA, SEVERITIES, STANDARD, shown_name
from models.reporting import table

DIGITS = 3
# By kind: the corruptions that a mean is over, in all severities.
MEANS = {"mean_corruption": tuple(STANDARD), "mean_extra_corruption": tuple(EXTRA)}
CLEAN, CORRUPTION, OUTLIERS = "clean", "corruption", "outliers"


def accuracies(name: str, severity: int, by_level: Mapping[str, float], num_images: int) -> list[Row]:
    """The rows of the accuracies, 0 to 1 by level of labels, under a corruption; name "" is that of clean images."""

    def labels(level: str) -> Labels:
        metric = f"{level}_accuracy"
        if not name:
            return Labels.of("ours/clean/{metric}", CLEAN, metric=metric, num_images=num_images)
        fields = {"corruption": name, "severity": severity, "metric": metric, "num_images": num_images}
        return Labels.of("ours/{corruption}/{severity}/{metric}", CORRUPTION, **fields)

    return [results.row(labels(level), "%", [100 * value], DIGITS) for level, value in by_level.items()]


def means(by_case: Mapping[tuple[str, int], Mapping[str, float]], num_images: int) -> Iterator[Row]:
    """The rows of the mean accuracies, of those corruptions that were measured in every severity."""
    for kind, names in MEANS.items():
        cases = [(name, severity) for name in names for severity in SEVERITIES]
        if not by_case.keys() >= set(cases):
            continue
        for level in by_case[cases[0]]:
            mean = 100 * statistics.mean(by_case[case][level] for case in cases)
            labels = Labels.of(f"ours/{kind}/{{metric}}", kind, metric=f"{level}_accuracy", num_images=num_images)
            yield results.row(labels, "%", [mean], DIGITS)


def detection_rows(outliers: str, score: str, inside: np.ndarray, outside: np.ndarray) -> Iterator[Row]:
    """The rows of a score, [N] of images of the data set and [M] of others."""
    figures = {"auroc": detection.auroc, "fpr_at_95_tpr": detection.false_positive_rate}
    for metric, figure in figures.items():
        fields = {"outliers": outliers, "score": score, "metric": metric, "num_images": len(outside)}
        labels = Labels.of("ours/{outliers}/{score}/{metric}", OUTLIERS, **fields)
        yield results.row(labels, "%", [100 * figure(inside, outside)], DIGITS)


def show(rows: Sequence[Row]) -> None:
    """Print a table of each level of labels, then one of the detection of outliers."""
    console = table.wide_console()
    for metric in dict.fromkeys(row.metric for row in rows if row.kind in (CLEAN, CORRUPTION)):
        of_level = [row for row in rows if row.metric == metric]
        title = f"{str(metric).replace('_', ' ')} in %, of {of_level[0].num_images:,} images of test"
        console.print(table.of_texts(accuracy_texts(of_level), title, folds_numbers=False))
    if texts := detection_texts(rows):
        title = "out-of-distribution detection, in %"
        console.print(table.of_texts(texts, title, words=("score",), folds_numbers=False))


def accuracy_texts(rows: Sequence[Row]) -> list[list[str]]:
    """The texts of a table of one level of labels: a line for each corruption, a column for each severity, the mean."""
    severities = sorted({row.severity for row in rows if row.severity})
    texts = [["corruption", *(f"severity {severity}" for severity in severities), "mean"]]
    empty = [""] * len(severities)
    texts += [["none (clean images)", *empty, _number(row.median)] for row in rows if row.kind == CLEAN]
    for name in dict.fromkeys(row.corruption for row in rows if row.corruption):
        medians = {row.severity: row.median for row in rows if row.corruption == name}
        mean = _number(statistics.mean(medians.values())) if len(medians) == len(severities) else ""
        shown = [_number(medians[severity]) if severity in medians else "" for severity in severities]
        texts.append([shown_name(str(name)), *shown, mean])
    words = dict(zip(MEANS, (f"mean of the {len(STANDARD)}", f"mean of the {len(EXTRA)} extra"), strict=True))
    return texts + [[words[row.kind], *empty, _number(row.median)] for row in rows if row.kind in words]


def detection_texts(rows: Sequence[Row]) -> list[list[str]]:
    """The texts of a table: a line for each kind of images and each score; none without such rows."""
    columns: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.kind == OUTLIERS:
            columns.setdefault((str(row.outliers), str(row.score)), []).append(_number(row.median))
    texts = [[outliers, score.replace("_", " "), *values] for (outliers, score), values in columns.items()]
    return [["images", "score", "AUROC", "FPR at 95 % TPR"], *texts] if texts else []


def _number(value: float) -> str:
    return f"{value:.2f}"
