"""The metadata of a data set: its labels, image size, splits, channel statistics, origin and fingerprints.

A `Description` is read from the folder of a prepared data set, and everything that depends on the data reads it: heads,
metrics, confusion matrices, reports, tuner spaces, benchmarks. Nothing here imports TensorFlow.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common import json_values
from pipeline.common.json_values import COUNT, NUMBER, SIZE, TEXT, array, mapping, required
from pipeline.datasets.canonical import Fingerprints

LEVELS = ("fine", "coarse")  # of labels: classes, and superclasses where a data set has them
Channels = tuple[float, float, float]  # red, green, blue
_CHANNELS = array(NUMBER, minItems=3, maxItems=3)
_STRICT = {"additionalProperties": False}
_CLASSES = required({"fine": array(TEXT, minItems=1), "coarse": array(TEXT), "fine_to_coarse": array(COUNT)})
_FINGERPRINTS = {**required({"records": TEXT, "order": TEXT}), "type": ["object", "null"]}
_SCHEMA = (
    required(
        {
            "dataset": TEXT,
            "classes": _CLASSES | _STRICT,
            "image_size": SIZE,
            "num_examples": required({"train": COUNT}) | mapping(COUNT),
            "channel_means": _CHANNELS,
            "channel_deviations": _CHANNELS,
        },
        origin=TEXT,
        fingerprints=_FINGERPRINTS | _STRICT,
    )
    | _STRICT
)


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes of a data set in the order of their numbers, and the superclass of each.

    Attributes:
      fine: names of the classes.
      coarse: names of the superclasses; () where the data set has one level of labels.
      fine_to_coarse: number of the superclass of each class; () likewise.
    """

    fine: tuple[str, ...]
    coarse: tuple[str, ...] = ()
    fine_to_coarse: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.fine_to_coarse) != (len(self.fine) if self.coarse else 0):
            raise ValueError(f"{len(self.fine)} classes and {len(self.fine_to_coarse)} superclasses of theirs")
        if any(not 0 <= number < len(self.coarse) for number in self.fine_to_coarse):
            raise ValueError(f"a class has a superclass that is none of the {len(self.coarse)}")

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names by level, "fine" and, where there are superclasses, "coarse"."""
        return {"fine": self.fine, **({"coarse": self.coarse} if self.coarse else {})}

    @property
    def counts(self) -> dict[str, int]:
        """The number of classes by level, as `names`."""
        return {level: len(names) for level, names in self.names.items()}


@dataclasses.dataclass(frozen=True)
class Description:
    """A prepared data set.

    Attributes:
      dataset: its name in reports, such as "cifar100" or "folder:flowers": no path of a machine.
      classes: of its labels.
      image_size: pixels each way.
      num_examples: by official split, "train", "test" and perhaps "validation".
      channel_means, channel_deviations: of the training images, 0 to 255.
      origin: how its images were made: downloaded, read from an archive, generated.
      fingerprints: of its records and of their order; None where only the preparation could know them.
    """

    dataset: str
    classes: Classes
    image_size: int
    num_examples: Mapping[str, int]
    channel_means: Channels
    channel_deviations: Channels
    origin: str = ""
    fingerprints: Fingerprints | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> "Description":
        """The inverse of `as_dict`; ValueError for what is none."""
        json_values.check(values, _SCHEMA)
        classes = Classes(**{name: tuple(numbers) for name, numbers in values["classes"].items()})
        channels = {name: _channels(values[name]) for name in ("channel_means", "channel_deviations")}
        fingerprints = values.get("fingerprints")
        return cls(
            **{
                **values,
                **channels,
                "classes": classes,
                "fingerprints": Fingerprints(**fingerprints) if fingerprints else None,
            }
        )


def _channels(numbers: Sequence[float]) -> Channels:
    red, green, blue = numbers
    return red, green, blue
