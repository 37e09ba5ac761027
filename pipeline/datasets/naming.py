"""Names of data sets: as `--dataset` has them, as TFDS has their folders, as reports have them.

folder:/home/ada/Flowers ──prepared_name──▶ folder_flowers_0a1b2c3d    ──shown_name──▶ folder:Flowers
tfds:beans               ──prepared_name──▶ tfds_beans_4e5f6a7b_96px   ──shown_name──▶ tfds:beans
"""

import hashlib
import os
import pathlib
import re

from pipeline.common import errors, paths
from pipeline.datasets import builtin

FOLDER, TFDS = "folder:", "tfds:"
_TFDS_NAME = re.compile(r"[a-z][a-z0-9_]*(/[A-Za-z0-9_.-]+)?(:\d+\.\d+\.\d+)?")
MIN_SIZE = 8  # pixels each way
_DIGITS = 8  # of the digest in a name: two folders of one name do not meet
_MAX_SLUG = 40


def absolute(dataset: str) -> str:
    """The name with its path, if it has one, as an absolute one without `..`."""
    if not dataset.startswith(FOLDER):
        return dataset
    path = paths.local(dataset.removeprefix(FOLDER), "dataset").absolute()
    normal = os.sep
    for part in path.parts[1:]:
        if part == "..":  # of a symbolic link it is the folder above its target
            normal = os.path.dirname(os.path.realpath(normal) if os.path.islink(normal) else normal)
        else:
            normal = os.path.join(normal, part)
    return FOLDER + normal


def check(dataset: str, image_size: int, superclasses: str, **keys: str) -> None:
    """Raise errors.BadArgumentError for a name that TFDS cannot have, and for a key that the data set does not read."""
    if dataset.startswith(TFDS) and not _TFDS_NAME.fullmatch(dataset.removeprefix(TFDS)):
        raise errors.BadArgumentError(f"dataset={dataset}: expected tfds:NAME or tfds:NAME/CONFIG, such as tfds:beans")
    for name, value in keys.items():
        if value and not dataset.startswith(TFDS):
            raise errors.BadArgumentError(f"{name}={value}: only --dataset=tfds:NAME reads it; leave it out")
    if superclasses != "auto" and not dataset.startswith(FOLDER):
        raise errors.BadArgumentError(f"superclasses={superclasses}: only --dataset=folder:PATH reads it; leave it out")
    if 0 < image_size < MIN_SIZE:
        raise errors.BadArgumentError(f"image_size={image_size}: expected 0, or {MIN_SIZE} or more")


def prepared_name(
    dataset: str, image_size: int, fine_key: str = "", coarse_key: str = "", superclasses: str = "auto"
) -> str:
    """The name of a data set's folder, which TFDS takes as the name of a builder."""
    kind, colon, given = dataset.partition(":")
    size = f"_{image_size}px" if image_size else ""
    if not colon:
        return dataset + ("" if image_size == builtin.IMAGE_SIZE else size)
    slug = re.sub(r"[^a-z0-9]+", "_", pathlib.PurePath(given).name.lower()).strip("_")[:_MAX_SLUG] or "images"
    values = (given, fine_key, coarse_key, *([superclasses] if superclasses != "auto" else []))
    digest = hashlib.sha256("\0".join(values).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{kind}_{slug}_{digest[:_DIGITS]}{size}"


def shown_name(dataset: str) -> str:
    """The name of a data set without a path of this machine."""
    return f"{FOLDER}{pathlib.PurePath(dataset).name}" if dataset.startswith(FOLDER) else dataset
