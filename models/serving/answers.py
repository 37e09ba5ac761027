"""The response to an uploaded image: decoded, predicted, as JSON."""

from typing import Any

import numpy as np

from models.prediction import rows
from models.prediction.predictor import Predictor
from pipeline.common.json_values import SIZE, TEXT, array, required
from pipeline.datasets import images

NUM_TOP = 5  # classes, and superclasses, of an answer
MAX_BYTES = 1 << 24  # of an image
MAX_PIXELS = 1 << 25  # of an image, half of those of `images`: whoever sends a few bytes has it decoded in 0.7 GB
_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_ANSWER = required({"label": TEXT, "probability": _PROBABILITY})
_CLASS = required({"label": TEXT, "probability": _PROBABILITY}, superclass=TEXT)
ANSWER_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The answer to an image",
    "description": "The predicted class and superclass come first, then others in order of their probabilities. A "
    "model without a fine head has no `fine`, and a data set of one level of labels no `coarse`.",
    **required(
        {"width": SIZE, "height": SIZE},
        fine=array(_CLASS, minItems=1, maxItems=NUM_TOP),
        coarse=array(_ANSWER, minItems=1, maxItems=NUM_TOP),
    ),
    "additionalProperties": False,
}
ERROR_SCHEMA = {
    "title": "Why there is no answer",
    **required({"error": TEXT}),
    "additionalProperties": False,
}


class Answerer:
    """Answers images with a predictor of batches of one image; it is called by one thread at a time."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def warm_up(self) -> None:
        """Trace the graph, so that the first answer takes no longer than others."""
        size = self._predictor.input_size
        self._predictor(np.zeros((1, size, size, 3), np.uint8))

    def __call__(self, file: bytes) -> dict[str, Any]:
        """The answer to the content of an image file, as ANSWER_SCHEMA describes it.

        Raises:
          images.ImageError: it is no image that can be decoded, or has more than MAX_PIXELS.
        """
        if images.num_pixels(file) > MAX_PIXELS:
            raise images.ImageError(f"has more than {MAX_PIXELS:,} pixels")
        pixels = images.decode(file).pixels
        predictions = self._predictor(self._predictor.prepare(pixels)[None])
        height, width, _ = pixels.shape
        answer: dict[str, Any] = {"width": width, "height": height}
        classes = self._predictor.classes
        for level in self._predictor.levels:
            superclasses = [classes.coarse[n] for n in classes.fine_to_coarse] if level == "fine" else None
            (top,) = rows.most_probable(
                predictions.predicted[level],
                predictions.probabilities[level],
                classes.names[level],
                NUM_TOP,
                superclasses,
            )
            answer[level] = [one.as_dict() for one in top]
        return answer
