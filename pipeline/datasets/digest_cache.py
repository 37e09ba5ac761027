"""The digests of a prepared data set, kept in its folder as long as its record files stay the same."""

import contextlib
import json
import pathlib
import sys
from collections.abc import Mapping

import numpy as np

from pipeline.common import files
from pipeline.datasets import prepared
from pipeline.datasets.canonical import Digests

FILE = f"{prepared.CACHE}/digests.npz"
_FIELDS = ("pixels", "fine", "coarse")


def write(folder: pathlib.Path, splits: Mapping[str, Digests]) -> None:
    """Keep the digests of the splits of the data set in a version folder, in the order of its files, if possible."""
    arrays = {f"{name}_{field}": getattr(split, field) for name, split in splits.items() for field in _FIELDS}
    with contextlib.suppress(OSError):  # a read-only data folder: the images are read again next time
        files.make_folder((folder / FILE).parent)
        with files.replacing(folder / FILE) as temporary:
            np.savez(temporary, state=np.array(_state(folder)), **arrays)


def read(folder: pathlib.Path) -> dict[str, Digests] | None:
    """The digests that `write` has kept; None without them, or where they are damaged or of other files."""
    path = folder / FILE
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["state"]) != _state(folder):
                return None
            names = [key.removesuffix("_pixels") for key in arrays if key.endswith("_pixels")]
            splits = {name: Digests(*(arrays[f"{name}_{field}"] for field in _FIELDS)) for name in names}
            for split in splits.values():
                split.rows()  # which fails for arrays that do not fit one another
            return splits
    except FileNotFoundError:
        return None
    except Exception:  # NumPy and zipfile raise errors of several kinds
        print(f"{path} is damaged; reading the images again", file=sys.stderr, flush=True)
        return None


def _state(folder: pathlib.Path) -> str:
    """The names, sizes and times of the record files: a file that was written anew has another time."""
    stats = {path.name: path.stat() for path in sorted(folder.glob("*tfrecord*"))}
    return json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()])
