"""Comparisons of two runs on the same images, paired: which of them is right where the other is wrong."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from models.reporting import calibration

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Paired:
    """Two models' answers on the same examples.

    Attributes:
      both_right, only_first, only_second, both_wrong: numbers of examples.
    """

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int

    @property
    def num_examples(self) -> int:
        """The number of examples."""
        return self.both_right + self.only_first + self.only_second + self.both_wrong

    @property
    def difference(self) -> float:
        """The accuracy of the second minus that of the first, -1 to 1."""
        return (self.only_second - self.only_first) / self.num_examples

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference.

        Wald's with half an example added to each of the four numbers (Agresti and Min 2005, "Simple improved confidence
        intervals for comparing matched proportions").
        """
        first, second, total = self.only_first + 0.5, self.only_second + 0.5, self.num_examples + 2
        middle = (second - first) / total
        margin = stats.norm.ppf((1 + LEVEL) / 2) * math.sqrt(first + second - (second - first) ** 2 / total) / total
        return max(-1.0, middle - margin), min(1.0, middle + margin)

    @property
    def p_value(self) -> float:
        """Of McNemar's exact test (1947): that the two are right equally often where one of them is wrong."""
        discordant = self.only_first + self.only_second
        return float(stats.binomtest(self.only_second, discordant).pvalue) if discordant else 1.0


def paired(first: np.ndarray, second: np.ndarray) -> Paired:
    """The counts of two bool [examples]: whether each model is right; examples in the same order."""
    counts = (int(np.sum(part)) for part in (first & second, first & ~second, ~first & second, ~first & ~second))
    return Paired(*counts)


def document(
    split: str, records: str, answers: Mapping[str, calibration.Answer], coarse_source: str | None
) -> dict[str, Any]:
    """The content of `predictions.json`: labels and predictions by level, the numbers of classes of each example.

    The coarse predictions are the model's own; `coarse_source` is "head" or "summed", None with one level of labels.
    `records` is the fingerprint of the evaluated records.
    """
    own = {"fine": "fine", "coarse": {"summed": "coarse_from_fine"}.get(coarse_source or "", "coarse")}
    by_level = {level: answers[name] for level, name in own.items() if name in answers}
    return {
        "split": split,
        "records": records,
        "labels": {level: answer.labels.tolist() for level, answer in by_level.items()},
        "predicted": {level: calibration.predictions(answer).predicted.tolist() for level, answer in by_level.items()},
    }
