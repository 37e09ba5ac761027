"""Confusion matrices: the document `confusion.json`, and statistics of a matrix.

    Evaluator.confusions ──document──▶ confusion.json ──read──▶ Matrix ──▶ confusion_plots, page

Classes are ordered by superclass, so that mistakes within one are next to the diagonal.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.datasets.description import Classes


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Counts [true classes, predicted classes], with the name and the superclass of each class."""

    names: tuple[str, ...]
    superclasses: tuple[str, ...]
    counts: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """The counts over those of the true class, float64 0 to 1; zeros for a class without examples."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    @property
    def is_within_superclass(self) -> np.ndarray:
        """Whether two classes are of one superclass, bool [classes, classes]."""
        superclasses = np.asarray(self.superclasses)
        return superclasses[:, None] == superclasses


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A true class, the class predicted instead, and the share of the true class's examples."""

    true: str
    predicted: str
    share: float
    is_within_superclass: bool


def document(
    split: str, coarse_source: str | None, classes: Classes, counts: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The content of `confusion.json`; null for a label that the model does not predict.

    `coarse_source` is "head" or "summed", or None with one level of labels: classes have no superclass then, "".
    Counts, int [classes, classes], are in the order of the labels' numbers, of "coarse" and of "fine" classes.
    """
    superclass_of = classes.fine_to_coarse or (0,) * len(classes.fine)
    names = {"fine": classes.fine, "coarse": classes.coarse or ("",)}
    by_superclass = np.argsort(superclass_of, kind="stable")
    parts: dict[str, Any] = dict.fromkeys(("fine", "coarse"))
    if "fine" in counts:
        parts["fine"] = {
            "names": [names["fine"][number] for number in by_superclass],
            "superclasses": [names["coarse"][superclass_of[number]] for number in by_superclass],
            "counts": counts["fine"][np.ix_(by_superclass, by_superclass)].tolist(),
        }
    if "coarse" in counts:
        coarse = list(classes.coarse)
        parts["coarse"] = {"names": coarse, "superclasses": coarse, "counts": counts["coarse"].tolist()}
    return {
        "split": split,
        "examples_evaluated": int(next(iter(counts.values())).sum()),
        "coarse_source": coarse_source,
        "rows": "true class",
        "columns": "predicted class",
        **parts,
    }


def read(part: Mapping[str, Any]) -> Matrix:
    """The matrix under "fine" or "coarse" of a document; names as pages show them."""
    names, superclasses = (tuple(map(_shown, part[key])) for key in ("names", "superclasses"))
    return Matrix(names, superclasses, np.asarray(part["counts"], np.int64))


def _shown(name: str) -> str:
    """A name with spaces instead of underscores, and without the two characters that XML forbids."""
    return re.sub("[\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", name.replace("_", " "))


def most_confused(matrix: Matrix, count: int) -> list[Mistake]:
    """At most `count` mistakes, those of the largest shares, in descending order."""
    shares, within, names = matrix.shares, matrix.is_within_superclass, matrix.names
    np.fill_diagonal(shares, 0.0)
    largest = np.argsort(-shares, axis=None, kind="stable")[:count]
    return [
        Mistake(names[true], names[predicted], float(shares[true, predicted]), bool(within[true, predicted]))
        for true, predicted in zip(*np.unravel_index(largest, shares.shape), strict=True)
        if shares[true, predicted]
    ]


def share_within_superclass(matrix: Matrix) -> float | None:
    """The share of the mistakes that predict a class of the right superclass; None without mistakes."""
    mistakes = matrix.counts.sum() - np.trace(matrix.counts)
    within = matrix.counts[matrix.is_within_superclass].sum() - np.trace(matrix.counts)
    return float(within / mistakes) if mistakes else None


def accuracy_by_superclass(matrix: Matrix) -> dict[str, float | None]:
    """The accuracy on each superclass's examples; None for a superclass without examples."""
    names, numbers = np.unique(matrix.superclasses, return_inverse=True)
    correct = np.bincount(numbers, np.diag(matrix.counts))
    totals = np.bincount(numbers, matrix.counts.sum(axis=1))
    accuracies = zip(names.tolist(), correct.tolist(), totals.tolist(), strict=True)
    return {name: hits / total if total else None for name, hits, total in accuracies}
