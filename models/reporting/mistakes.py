"""The most confident mistakes of an evaluation, with their images: `mistakes.json`."""

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import PIL.Image

from models.reporting.calibration import Answer, predictions
from pipeline.datasets import resizing

COUNT = 24
MAX_PIXELS = 96  # each way


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A mistake: the example's number in its split, the true and the predicted class, and the latter's probability."""

    index: int
    true: int
    predicted: int
    probability: float


def most_confident(answer: Answer, temperature: float = 1.0, *, count: int = COUNT, stride: int = 1) -> list[Mistake]:
    """At most `count` mistakes of the highest probability, in descending order; of equal ones the first.

    The answer is of every `stride`-th example of its split.
    """
    outcome = predictions(answer, temperature)
    (mistakes,) = np.nonzero(~outcome.hits)
    places = mistakes[np.argsort(-outcome.confidences[mistakes], kind="stable")][:count].tolist()
    columns = (answer.labels, outcome.predicted, outcome.confidences)
    return [Mistake(place * stride, *(column[place].item() for column in columns)) for place in places]


def document(
    split: str, level: str, names: Sequence[str], mistakes: Sequence[Mistake], images: Mapping[int, np.ndarray]
) -> dict[str, Any]:
    """The content of `mistakes.json`; `level` is "fine" or "coarse", and `names` are those of its classes.

    Images, uint8 [S, S, 3], are found by the example's number.
    """
    entries = [
        {
            "true": names[one.true],
            "predicted": names[one.predicted],
            "probability": one.probability,
            "index": one.index,
            "png": png(images[one.index]),
        }
        for one in mistakes
    ]
    return {"split": split, "level": level, "mistakes": entries}


def png(image: np.ndarray) -> str:
    """An image, uint8 [S, S, 3], as PNG in base64, with at most MAX_PIXELS each way."""
    if len(image) > MAX_PIXELS:
        image = resizing.resize(image, MAX_PIXELS)
    stream = io.BytesIO()
    PIL.Image.fromarray(image).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")
