"""The report of a conversion, `preparation.json` in the version folder: what was converted, left out, found equal."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.common import files
from pipeline.datasets import prepared
from pipeline.datasets.canonical import Digests, as_texts
from pipeline.datasets.conversion.arrangement import EQUALS, Arrangement, equal_images
from pipeline.datasets.description import Classes

FILE = "preparation.json"
MAX_BAD_IMAGES = 1000  # that are named
_COUNT = {"type": "integer", "minimum": 0}
_COUNTS = {"type": "object", "additionalProperties": _COUNT}
_NAMES = {"type": "array", "items": {"type": "string"}}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties}


_SCHEMA = _object(
    image_size={"type": "integer", "minimum": 1},
    num_images=_COUNTS,
    num_different_images=_COUNTS,
    is_test_split_official={"type": "boolean"},
    class_counts={"type": "object", "additionalProperties": _COUNTS},
    conversions=_COUNTS,
    bad_images=_object(count=_COUNT, listed={"type": "object", "additionalProperties": {"type": "string"}}),
    equal_images=_object(
        **{kind: _object(num_groups=_COUNT, listed={"type": "array", "items": _NAMES}) for kind in EQUALS}
    ),
)


def make(
    arrangement: Arrangement, splits: Mapping[str, Digests], classes: Classes, is_test_split_official: bool
) -> dict[str, Any]:
    """The report of a data set with the digests of each split."""
    bad_images = list(arrangement.bad_images.items())
    return {
        "image_size": arrangement.folder.image_size,
        "num_images": {split: len(records) for split, records in splits.items()},
        "num_different_images": {split: len(np.unique(as_texts(each.pixels))) for split, each in splits.items()},
        "is_test_split_official": is_test_split_official,
        "class_counts": {
            split: dict(zip(classes.fine, np.bincount(each.fine, minlength=len(classes.fine)).tolist(), strict=True))
            for split, each in splits.items()
        },
        "conversions": dict(arrangement.conversions.most_common()),
        "bad_images": {"count": len(bad_images), "listed": dict(bad_images[:MAX_BAD_IMAGES])},
        "equal_images": {
            kind: {"num_groups": groups.num_groups, "listed": groups.listed}
            for kind, groups in equal_images(arrangement).items()
        },
    }


def lines(report: Mapping[str, Any]) -> list[str]:
    """What a person who has prepared the data set wants to know of the report."""
    notes = [f"{what}: {count:,} images" for what, count in report["conversions"].items()]
    train = report["class_counts"]["train"]
    smallest, largest = min(train, key=train.__getitem__), max(train, key=train.__getitem__)
    if train[smallest] < train[largest]:
        notes.append(
            f"training images of a class: from {train[smallest]:,} ({smallest}) to {train[largest]:,} ({largest})"
        )
    if bad := report["bad_images"]["count"]:
        name, reason = next(iter(report["bad_images"]["listed"].items()))
        notes.append(f"{bad:,} images are left out, such as {name}, which {reason}")
    for kind, groups in report["equal_images"].items():
        if groups["num_groups"]:
            names = " = ".join(groups["listed"][0][:2])
            notes.append(f"equal images {kind.replace('_', ' ')}: {groups['num_groups']:,} groups, such as {names}")
    return notes


def write(folder: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Write a report to a version folder."""
    files.write_json(folder / FILE, report)


def read(folder: pathlib.Path) -> dict[str, Any] | None:
    """The report in a version folder; None where there is none; errors as of `files.read_json`."""
    return files.read_json(folder / FILE, *prepared.where(folder / FILE), schema=_SCHEMA)
