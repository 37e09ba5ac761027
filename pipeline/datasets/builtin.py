"""The built-in data sets, as they describe themselves before they are prepared. Nothing here imports TensorFlow."""

import functools

from pipeline.datasets.cifar.spec import SPECS
from pipeline.datasets.description import Channels, Classes, Description

CIFAR100 = "cifar100"
VERSIONS = {CIFAR100: "3.0.2", "cifar10": "3.0.2", "shapes100": "1.0.0", "shapes100_tiny": "1.0.0"}
GENERATED = ("shapes100", "shapes100_tiny")  # stand-ins for CIFAR-100
NUM_VALIDATION = {CIFAR100: 10_000, "cifar10": 10_000, "shapes100": 10_000, "shapes100_tiny": 500}  # unless set
IMAGE_SIZE = 32
# Of the 50,000 training images of CIFAR-100. (They hold for the 40,000 to 0.13.) shapes100 stands in here too.
CHANNEL_MEANS = (129.304, 124.070, 112.434)
CHANNEL_DEVIATIONS = (68.170, 65.392, 70.418)
_CHANNELS: dict[str, tuple[Channels, Channels]] = {"cifar10": ((125.307, 122.950, 113.865), (62.993, 62.089, 66.705))}
_PER_CLASS = {  # in train, in test
    CIFAR100: (500, 100),
    "cifar10": (5000, 1000),
    "shapes100": (500, 100),
    "shapes100_tiny": (20, 5),
}


@functools.cache
def describe(name: str) -> Description:
    """The description of a data set, a key of VERSIONS, by its official counts."""
    classes = SPECS[name].classes if name in SPECS else _shapes100()
    train, test = (count * len(classes.fine) for count in _PER_CLASS[name])
    means, deviations = _CHANNELS.get(name, (CHANNEL_MEANS, CHANNEL_DEVIATIONS))
    return Description(name, classes, IMAGE_SIZE, {"train": train, "test": test}, means, deviations)


def _shapes100() -> Classes:
    from pipeline.datasets.shapes100 import drawing

    return Classes(drawing.FINE_NAMES, drawing.COARSE_NAMES, drawing.FINE_TO_COARSE)
