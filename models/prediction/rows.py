"""What is predicted of an image: the most probable classes, and the superclass. Nothing here loads TensorFlow.

Named tuples, since a frozen dataclass takes three times as long to make.
"""

import types
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from pipeline.datasets.description import Classes


class Answer(NamedTuple):
    """A class or superclass with its probability; `superclass` is that of a class, "" where there is none."""

    label: str
    probability: float
    superclass: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        superclass = {"superclass": self.superclass} if self.superclass else {}
        return {"label": self.label, **superclass, "probability": _brief(self.probability)}


class Row(NamedTuple):
    """The prediction of one image, or why there is none.

    Attributes:
      path: of the file as it was given, or the split and the number of the image, such as "test:0".
      error: why there is no prediction; "" where there is one.
      top: the most probable classes, first the most probable one; superclasses where the model has a coarse head only.
      coarse: the superclass that the model predicts; None where the data set has one level of labels.
      truth: names of the true class and superclass by level of labels, where they are known.
      picture: name of the file that explains the prediction; "" where there is none.
    """

    path: str
    error: str = ""
    top: tuple[Answer, ...] = ()
    coarse: Answer | None = None
    truth: Mapping[str, str] = types.MappingProxyType({})
    picture: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it: the keys of what there is."""
        if self.error:
            return {"path": self.path, "error": self.error}
        values: dict[str, Any] = {"path": self.path, "top": [answer.as_dict() for answer in self.top]}
        if self.coarse:
            values["coarse"] = self.coarse.as_dict()
        picture = {"picture": self.picture} if self.picture else {}
        return {**values, **self.judgement(), **picture}

    def judgement(self) -> dict[str, Any]:
        """The true labels, and whether the prediction is right; {} where they are not known."""
        predicted = {"fine": self.top[0] if self.top else None, "coarse": self.coarse}
        values: dict[str, Any] = {}
        for level, name in self.truth.items():
            answer = predicted[level]
            if answer is not None and not (level == "fine" and answer is self.coarse):
                values |= {f"true_{level}": name, f"is_{level}_right": answer.label == name}
        return values


def of_images(
    predicted: Mapping[str, np.ndarray], probabilities: Mapping[str, np.ndarray], classes: Classes, num_top: int
) -> Iterator[dict[str, Any]]:
    """The fields `top` and `coarse` of the rows of N images.

    By level of labels, "fine" and "coarse" or one of them: `predicted` int64 [N], which comes first also where others
    are as probable, and `probabilities` float32 [N, classes].
    """
    if "coarse" in predicted:
        count = 1 if "fine" in predicted else num_top
        coarse = most_probable(predicted["coarse"], probabilities["coarse"], classes.coarse, count)
    if "fine" not in predicted:
        return ({"top": answers, "coarse": answers[0]} for answers in coarse)
    superclasses = [classes.coarse[number] for number in classes.fine_to_coarse]
    fine = most_probable(predicted["fine"], probabilities["fine"], classes.fine, num_top, superclasses)
    if "coarse" not in predicted:
        return ({"top": top} for top in fine)
    return ({"top": top, "coarse": answers[0]} for top, answers in zip(fine, coarse, strict=True))


def most_probable(
    predicted: np.ndarray,
    probabilities: np.ndarray,
    names: tuple[str, ...],
    count: int,
    superclasses: list[str] | None = None,
) -> Iterator[tuple[Answer, ...]]:
    """Of each image, the predicted class and then the most probable other ones, `count` in all or all there are.

    Of equal probabilities, that of the class with the lower number comes first.
    """
    count = min(count, len(names))
    ranks = -probabilities
    np.put_along_axis(ranks, predicted[:, None], -np.inf, axis=1)
    limits = np.partition(ranks, count - 1, axis=1)[:, count - 1 : count]  # sorting 1,000 takes 6 times as long
    # More than `count` where some are equal to the last one. `np.nonzero` takes 5 times as long.
    images, numbers = np.divmod(np.flatnonzero(~(ranks > limits)), ranks.shape[1])
    numbers = numbers[np.lexsort((ranks[images, numbers], images))]  # a stable sort
    firsts = np.searchsorted(images, np.arange(len(ranks)))
    chosen = numbers[firsts[:, None] + np.arange(count)]
    values = np.take_along_axis(probabilities, chosen, axis=1)
    labels, groups = (np.array(texts, object)[chosen] for texts in (names, superclasses or [""] * len(names)))
    answers = map(Answer, *(column.ravel().tolist() for column in (labels, values, groups)))
    return zip(*[answers] * count, strict=True)


def _brief(probability: float) -> float:
    """Six significant digits; float32 has seven."""
    return float(f"{probability:.6g}")
