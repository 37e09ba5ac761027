"""The built-in data sets, as they describe themselves before they are prepared. Nothing here imports TensorFlow."""

import functools

from pipeline.datasets import labels
from pipeline.datasets.description import Classes, Description

CIFAR100 = "cifar100"
VERSIONS = {CIFAR100: "3.0.2", "shapes100": "1.0.0", "shapes100_tiny": "1.0.0"}
GENERATED = ("shapes100", "shapes100_tiny")  # stand-ins for CIFAR-100
NUM_VALIDATION = {CIFAR100: 10_000, "shapes100": 10_000, "shapes100_tiny": 500}  # unless set
IMAGE_SIZE = 32
# Of the 50,000 training images of CIFAR-100. (They hold for the 40,000 to 0.13.) shapes100 stands in here too.
CHANNEL_MEANS = (129.304, 124.070, 112.434)
CHANNEL_DEVIATIONS = (68.170, 65.392, 70.418)
_PER_CLASS = {CIFAR100: (500, 100), "shapes100": (500, 100), "shapes100_tiny": (20, 5)}  # in train, in test


@functools.cache
def describe(name: str) -> Description:
    """The description of a data set, a key of VERSIONS, by its official counts."""
    classes = Classes(*_names(name), labels.FINE_TO_COARSE)
    train, test = (count * len(classes.fine) for count in _PER_CLASS[name])
    num_examples = {"train": train, "test": test}
    return Description(name, classes, IMAGE_SIZE, num_examples, CHANNEL_MEANS, CHANNEL_DEVIATIONS)


def _names(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if name == CIFAR100:
        return labels.FINE_NAMES, labels.COARSE_NAMES
    from pipeline.datasets.shapes100 import drawing

    return drawing.FINE_NAMES, drawing.COARSE_NAMES
