"""The report of a conversion, `preparation.json` in the version folder: what was converted, left out, found equal."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.common import files
from pipeline.common.json_values import COUNT, FLAG, SIZE, TEXT, array, mapping, required
from pipeline.common.numbers import counted
from pipeline.datasets import prepared
from pipeline.datasets.canonical import Digests, as_texts
from pipeline.datasets.conversion.arrangement import EQUALS, Arrangement, equal_images
from pipeline.datasets.description import Classes

FILE = "preparation.json"
MAX_BAD_IMAGES = 1000  # that are named
MAX_NAMED_CLASSES = 5  # of those without an image in a split
_SCHEMA = required(
    {
        "image_size": SIZE,
        **dict.fromkeys(("num_images", "num_different_images", "conversions"), mapping(COUNT)),
        "is_test_split_official": FLAG,
        "class_counts": mapping(mapping(COUNT)),
        "bad_images": required({"count": COUNT, "listed": mapping(TEXT)}),
        "equal_images": required(dict.fromkeys(EQUALS, required({"num_groups": COUNT, "listed": array(array(TEXT))}))),
    }
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
    notes = [f"{what}: {counted(count, 'image')}" for what, count in report["conversions"].items()]
    train = report["class_counts"]["train"]
    smallest, largest = min(train, key=train.__getitem__), max(train, key=train.__getitem__)
    if train[smallest] < train[largest]:
        notes.append(
            f"training images of a class: from {train[smallest]:,} ({smallest}) to {train[largest]:,} ({largest})"
        )
    for split in ("train", "test"):
        if without := [name for name, count in report["class_counts"][split].items() if not count]:
            more = ", ..." if len(without) > MAX_NAMED_CLASSES else ""
            names = ", ".join(without[:MAX_NAMED_CLASSES]) + more
            notes.append(f"warning: classes without a {split} image: {len(without):,} ({names})")
    if bad := report["bad_images"]["count"]:
        name, reason = next(iter(report["bad_images"]["listed"].items()))
        notes.append(f"left out: {counted(bad, 'image')}, such as {name}, which {reason}")
    for kind, groups in report["equal_images"].items():
        if groups["num_groups"]:
            names = " = ".join(groups["listed"][0][:2])
            count = counted(groups["num_groups"], "group")
            notes.append(f"equal images {kind.replace('_', ' ')}: {count}, such as {names}")
    return notes


def write(folder: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Write a report to a version folder."""
    files.write_json(folder / FILE, report)


def read(folder: pathlib.Path) -> dict[str, Any] | None:
    """The report in a version folder; None where there is none; errors as of `files.read_json`."""
    return files.read_json(folder / FILE, *prepared.where(folder / FILE), schema=_SCHEMA)
