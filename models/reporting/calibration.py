"""Calibration of probabilities: temperatures, and the measures of `calibration.json`, in NumPy.

    logits, labels ──Answer──▶ fit_temperature, measures ──document──▶ calibration.json ──summary──▶ report.json

A model is calibrated if four in five of its predictions with a probability of 80 % are right. A temperature divides
the logits; it is fitted on validation and changes no prediction of a head (Guo et al. 2017, "On Calibration of Modern
Neural Networks", arXiv 1706.04599). All is computed in float64, a chunk of examples at a time.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import optimize, sparse, special

from models.runs.schemas import NUM_BINS
from pipeline.datasets.description import Classes

UPPER_EDGES = np.arange(1, NUM_BINS + 1) / NUM_BINS
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10.0
TOLERANCE = 1e-4  # of the logarithm of the temperature
NUM_POINTS = 100  # of a risk-coverage curve
DIGITS = 6  # of the numbers of curves and bins in calibration.json
MAX_FITTED = 2**23  # logits that a temperature is fitted to; 10,000 images of 100 classes have 2**20
CHUNK = 2**21  # probabilities that are computed at a time
SUMMARY = ("ece", "nll", "brier")  # the measures that report.json has too


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model answers of each example, and the truth.

    Attributes:
      logits: float32 [N, classes].
      labels: int [N], the true classes; or the true superclasses, where probabilities are summed.
      superclass_of: int [classes], the superclass of each class, where the answer is the sum of its classes'
        probabilities; None where the classes themselves are the answer.
    """

    logits: np.ndarray
    labels: np.ndarray
    superclass_of: np.ndarray | None = None

    def chunks(self) -> Iterator["Answer"]:
        """The answer in parts of at most CHUNK probabilities, or of one example."""
        size = max(1, CHUNK // self.logits.shape[1])
        for start in range(0, len(self.logits), size):
            part = slice(start, start + size)
            yield Answer(self.logits[part], self.labels[part], self.superclass_of)

    def log_probabilities(self, temperature: float) -> np.ndarray:
        """float64 [N, classes]: of the classes, also where superclasses are the answer."""
        return special.log_softmax(self.logits.astype(np.float64) / temperature, axis=1)

    def log_likelihoods(self, log_probabilities: np.ndarray) -> np.ndarray:
        """float64 [N]: the logarithm of the probability of the truth."""
        if self.superclass_of is None:
            return log_probabilities[np.arange(len(self.labels)), self.labels]
        is_of_truth = self.superclass_of == self.labels[:, None]
        of_truth = special.logsumexp(np.where(is_of_truth, log_probabilities, -np.inf), axis=1)
        return np.minimum(of_truth, 0.0)  # it is rounded


@dataclasses.dataclass(frozen=True)
class Predictions:
    """An answer at a temperature, an entry an example.

    Attributes:
      predicted: int [N], the class of the highest probability.
      confidences: float64 [N], its probability.
      hits: bool [N], whether it is the true one.
      log_likelihoods: float64 [N], the logarithm of the true class's probability.
      squares: float64 [N], the sum over the classes of the squared distance from the truth.
    """

    predicted: np.ndarray
    confidences: np.ndarray
    hits: np.ndarray
    log_likelihoods: np.ndarray
    squares: np.ndarray


def predictions(answer: Answer, temperature: float = 1.0) -> Predictions:
    """The predictions of an answer whose logits are divided by a temperature.

    A temperature keeps the order of the classes, and may change that of superclasses, whose probabilities are sums.
    """
    parts = [_predictions(chunk, temperature) for chunk in answer.chunks()]
    columns = zip(*(dataclasses.astuple(part) for part in parts), strict=True)
    return Predictions(*(np.concatenate(column) for column in columns))


def _predictions(answer: Answer, temperature: float) -> Predictions:
    log_probabilities = answer.log_probabilities(temperature)
    probabilities, scores = np.exp(log_probabilities), answer.logits
    if answer.superclass_of is not None:
        num_classes = len(answer.superclass_of)
        cells = np.ones(num_classes), (np.arange(num_classes), answer.superclass_of)
        scores = probabilities = np.minimum(probabilities @ sparse.csr_array(cells), 1.0)
    rows, predicted = np.arange(len(answer.labels)), scores.argmax(axis=1)
    confidences = probabilities[rows, predicted]
    distances = probabilities.copy()
    distances[rows, answer.labels] -= 1.0
    return Predictions(
        predicted=predicted,
        confidences=confidences,
        hits=predicted == answer.labels,
        log_likelihoods=answer.log_likelihoods(log_probabilities),
        squares=np.square(distances).sum(axis=1),
    )


def brier_score(answer: Answer, temperature: float = 1.0) -> float:
    """The mean over the examples of the squared distance of probabilities and truth, summed over the classes, 0 to 2.

    (Brier 1950, "Verification of Forecasts Expressed in Terms of Probability".)
    """
    total = sum(_predictions(chunk, temperature).squares.sum() for chunk in answer.chunks())
    return _mean(total, len(answer.labels))


def fit_temperature(answer: Answer) -> float:
    """The temperature of the least Brier score, between MIN_TEMPERATURE and MAX_TEMPERATURE.

    Guo et al. 2017, section 4.2, minimize the negative log-likelihood. After training with smoothed labels that makes
    probabilities too high: it is governed by the few truths of which a model has given up hope. Both reward honest
    probabilities only. On the validation images of `quick`, `nano` and `fast` the Brier score led to the lower
    calibration error.

    It is fitted to evenly spaced examples with at most MAX_FITTED logits: more hardly change it, and take minutes. It
    is 1 where no other is better, as of a single class. The limits matter to a model that is right on all examples, for
    example on a few: the lower its temperature, the better.
    """
    every = slice(None, None, -(-answer.logits.size // MAX_FITTED))
    answer = Answer(answer.logits[every], answer.labels[every], answer.superclass_of)
    optimum = optimize.minimize_scalar(
        lambda logarithm: brier_score(answer, math.exp(logarithm)),
        bounds=(math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)),
        method="bounded",
        options={"xatol": TOLERANCE},
    )
    return math.exp(optimum.x) if optimum.fun < brier_score(answer) else 1.0


def reliability(confidences: np.ndarray, hits: np.ndarray) -> list[tuple[int, float | None, float | None]]:
    """(count, mean confidence, accuracy) of each of NUM_BINS bins of confidence; None in a bin without examples.

    The bins are as wide as one another, and each has its upper edge: (0, 1/15], (1/15, 2/15], ... (Guo et al. 2017).
    """
    bins = np.searchsorted(UPPER_EDGES, confidences)
    counts = np.bincount(bins, minlength=NUM_BINS)
    totals = (np.bincount(bins, values, minlength=NUM_BINS) for values in (confidences, hits))
    means = [[total / count if count else None for total, count in zip(sums, counts, strict=True)] for sums in totals]
    return list(zip(counts.tolist(), *means, strict=True))


def expected_calibration_error(confidences: np.ndarray, hits: np.ndarray) -> float:
    """The mean over the examples of the distance of confidence and accuracy in their bin (Guo et al. 2017, eq. 3).

    The confidence is the probability of the predicted class; the bins are those of `reliability`.
    """
    bins = np.searchsorted(UPPER_EDGES, confidences)
    distances = np.bincount(bins, hits - confidences, minlength=NUM_BINS)  # of each bin, times its examples
    return _mean(np.abs(distances).sum(), len(hits))


def risks(confidences: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """float64 [N]: the share of mistakes among the k most confident examples, k = 1 ... N.

    Equally confident examples are as if in random order. (El-Yaniv and Wiener 2010, "On the Foundations of Noise-free
    Selective Classification"; Geifman and El-Yaniv 2017, arXiv 1705.08500.)
    """
    _, groups = np.unique(-confidences, return_inverse=True)
    shares = np.bincount(groups, ~hits) / np.bincount(groups)  # of mistakes in each group of equal confidence
    return np.cumsum(shares[np.sort(groups)]) / np.arange(1, len(hits) + 1)


def measures(answer: Answer, temperature: float = 1.0) -> dict[str, Any]:
    """The measures of an answer at a temperature, as `calibration.json` has them.

    `brier` is the `brier_score`. `aurc`, the area under the risk-coverage curve, is
    the mean of `risks` (Geifman, Uziel and El-Yaniv 2019, arXiv 1805.08206).
    """
    predicted = predictions(answer, temperature)
    curve = risks(predicted.confidences, predicted.hits)
    count = len(curve)
    ends = np.unique(-(-np.arange(1, NUM_POINTS + 1) * count // NUM_POINTS))  # rounded up
    bins = reliability(predicted.confidences, predicted.hits)
    return {
        "nll": _mean(-predicted.log_likelihoods.sum(), count),
        "ece": expected_calibration_error(predicted.confidences, predicted.hits),
        "brier": _mean(predicted.squares.sum(), count),
        "reliability": [[number, *map(_rounded, means)] for number, *means in bins],
        "risk_coverage": [[_rounded(end / count), _rounded(curve[end - 1])] for end in ends.tolist()],
        "aurc": float(curve.mean()),
    }


def answers(logits: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], classes: Classes) -> dict[str, Answer]:
    """What a model answers, of the logits of its heads: "fine", "coarse" and, summed, "coarse_from_fine".

    Logits are float32 [N, classes], labels int [N] of each level. There are no coarse answers without superclasses.
    """
    by_name = {head: Answer(logits[head], labels[head]) for head in ("fine", "coarse") if head in logits}
    if "fine" in logits and classes.coarse:
        by_name["coarse_from_fine"] = Answer(logits["fine"], labels["coarse"], np.asarray(classes.fine_to_coarse))
    return by_name


def document(
    former: Mapping[str, Any] | None, split: str, answers: Mapping[str, Answer], classes: Classes
) -> dict[str, Any]:
    """The content of `calibration.json` after an evaluation on `split`; `former` is that before it.

    Temperatures are fitted on "validation" alone; on another split they are those of `former`.
    """
    former = former or {"temperatures": {}, "fitted_on": None, "splits": {}}
    temperatures, fitted_on = former["temperatures"], former["fitted_on"]
    if split == "validation":
        temperatures, fitted_on = {name: fit_temperature(answer) for name, answer in answers.items()}, split
    measured = {}
    for name, answer in answers.items():
        after = measures(answer, temperatures[name]) if name in temperatures else None
        measured[name] = {"before": measures(answer), "after": after}
    values = {"examples": len(next(iter(answers.values())).labels), "answers": measured, **_of_levels(answers, classes)}
    return {"temperatures": temperatures, "fitted_on": fitted_on, "splits": {**former["splits"], split: values}}


def _of_levels(answers: Mapping[str, Answer], classes: Classes) -> dict[str, float | None]:
    """The share of fine mistakes within the true superclass, and of examples on which both heads agree.

    None where the model lacks a head, or makes no mistake.
    """
    within = agree = None
    if "fine" in answers and classes.coarse:
        superclass_of = np.asarray(classes.fine_to_coarse)
        predicted, labels = answers["fine"].logits.argmax(axis=1), answers["fine"].labels
        is_mistake, superclasses = predicted != labels, superclass_of[predicted]
        if is_mistake.any():
            within = float(np.mean(superclasses[is_mistake] == superclass_of[labels[is_mistake]]))
        if "coarse" in answers:
            agree = float(np.mean(superclasses == answers["coarse"].logits.argmax(axis=1)))
    return {"within_superclass": within, "heads_agree": agree}


def summary(calibration: Mapping[str, Any], split: str) -> dict[str, Any]:
    """The values of a split that `report.json` has under `calibration`, by answer."""
    return {
        name: {
            "temperature": calibration["temperatures"].get(name),
            **{when: values and {key: values[key] for key in SUMMARY} for when, values in measured.items()},
        }
        for name, measured in calibration["splits"][split]["answers"].items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)


def _mean(total: float, count: int) -> float:
    return float(total / count) + 0.0  # no -0.0
