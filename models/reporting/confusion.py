"""What is taken for what: counts of a confusion matrix -> `confusion.json` -> what the page tells of them.

    Evaluator.confusions ──document──▶ confusion.json ──read──▶ Matrix ──▶ confusion_plots, confusion_section

Classes are ordered by superclass, so that mistakes within one lie beside the diagonal.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.datasets.labels import FINE_TO_COARSE


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Counts [classes, classes], rows the true classes and columns the answers; a name and a superclass for each."""

    names: tuple[str, ...]
    superclasses: tuple[str, ...]
    counts: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """float64 [classes, classes]: of each true class, 0 to 1; a class without examples has zeros."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    @property
    def is_within_superclass(self) -> np.ndarray:
        """Of each pair of classes, bool [classes, classes]."""
        superclasses = np.asarray(self.superclasses)
        return superclasses[:, None] == superclasses


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A true class, what it is taken for, and in which share of its examples."""

    true: str
    answer: str
    share: float
    is_within_superclass: bool


def document(
    split: str, coarse_source: str, names: Mapping[str, Sequence[str]], counts: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """What `confusion.json` holds; null for a label that the model does not answer.

    Args:
      split: what was evaluated.
      coarse_source: where the coarse answer came from, "head" or "summed".
      names: of the "fine" and of the "coarse" classes, in the order of their numbers.
      counts: int [classes, classes] of each label that the model answers, in the same order.
    """
    by_superclass = np.argsort(FINE_TO_COARSE, kind="stable")
    found: dict[str, Any] = {"split": split, "examples_evaluated": int(counts["coarse"].sum())}
    found |= {"coarse_source": coarse_source, "rows": "true class", "columns": "answer", "fine": None}
    if "fine" in counts:
        found["fine"] = {
            "names": [names["fine"][number] for number in by_superclass],
            "superclasses": [names["coarse"][FINE_TO_COARSE[number]] for number in by_superclass],
            "counts": counts["fine"][np.ix_(by_superclass, by_superclass)].tolist(),
        }
    coarse = list(names["coarse"])
    found["coarse"] = {"names": coarse, "superclasses": coarse, "counts": counts["coarse"].tolist()}
    return found


def read(part: Mapping[str, Any]) -> Matrix:
    """The matrix that lies under "fine" or "coarse" in a document; names as people write them."""
    names, superclasses = (tuple(name.replace("_", " ") for name in part[key]) for key in ("names", "superclasses"))
    return Matrix(names, superclasses, np.asarray(part["counts"], np.int64))


def most_confused(matrix: Matrix, count: int) -> list[Mistake]:
    """The `count` mistakes of the greatest shares, the greatest first; fewer if no more were made."""
    shares, within = matrix.shares, matrix.is_within_superclass
    np.fill_diagonal(shares, 0.0)
    found = np.argsort(-shares, axis=None, kind="stable")[:count]
    places = [divmod(int(place), len(matrix.names)) for place in found]
    return [
        Mistake(matrix.names[true], matrix.names[answer], float(shares[true, answer]), bool(within[true, answer]))
        for true, answer in places
        if shares[true, answer]
    ]


def share_within_superclass(matrix: Matrix) -> float | None:
    """Of all mistakes, the share that stays in the true class's superclass; None if there is no mistake."""
    mistakes = matrix.counts.sum() - np.trace(matrix.counts)
    within = matrix.counts[matrix.is_within_superclass].sum() - np.trace(matrix.counts)
    return float(within / mistakes) if mistakes else None


def accuracy_by_superclass(matrix: Matrix) -> dict[str, float | None]:
    """Of each superclass, the share of its examples whose class is answered right; None if it has no example."""
    right, total = np.diag(matrix.counts), matrix.counts.sum(axis=1)
    found: dict[str, float | None] = {}
    for superclass in dict.fromkeys(matrix.superclasses):
        members = np.asarray(matrix.superclasses) == superclass
        found[superclass] = float(right[members].sum() / total[members].sum()) if total[members].sum() else None
    return found
