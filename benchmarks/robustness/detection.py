"""Out-of-distribution detection: how well a score of the logits tells images of the data set from others.

Scores, float64 [N] of logits [N, classes], are greater for images of the data set:
  max_softmax   the greatest probability (Hendrycks and Gimpel 2017, https://arxiv.org/abs/1610.02136)
  energy        the negative free energy, log sum exp of the logits (Liu et al. 2020, https://arxiv.org/abs/2010.03759)
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy import special

KEPT = 0.95  # of the images of the data set, at the threshold of `false_positive_rate`


def max_softmax(logits: np.ndarray) -> np.ndarray:
    """The greatest probability of each image."""
    return special.softmax(logits.astype(np.float64), axis=1).max(axis=1)


def energy(logits: np.ndarray) -> np.ndarray:
    """The negative free energy of each image, at temperature 1."""
    return special.logsumexp(logits.astype(np.float64), axis=1)


SCORES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"max_softmax": max_softmax, "energy": energy}


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """The area under the ROC curve, 0 to 1, of scores [N] of the data set and [M] of other images.

    It is the chance that a random image of the data set has the greater score; ties count half (Hanley and McNeil
    1982, "The meaning and use of the area under a receiver operating characteristic curve").
    """
    from sklearn.metrics import roc_auc_score

    is_inside = np.repeat([1, 0], [len(inside), len(outside)])
    return float(roc_auc_score(is_inside, np.concatenate([inside, outside])))


def false_positive_rate(inside: np.ndarray, outside: np.ndarray) -> float:
    """The share of the other images that is accepted where `KEPT` of the data set is: FPR at 95 % TPR, 0 to 1."""
    threshold = np.sort(inside)[int((1 - KEPT) * len(inside) + 1e-9)]
    return float(np.mean(outside >= threshold))
