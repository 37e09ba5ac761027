"""What a command has left in a folder, in a form that is equal for equal results whatever time they took."""

import hashlib
import io
import json
import pathlib
import re
import shutil
import zipfile
from typing import Any

import h5py
import numpy as np

# Keys of JSON files that tell when, where or how fast a result was made, or that differ from call to call.
TIMES = re.compile(
    r"(seconds|_s|per_second|^ms_per_image.*|_mib|^created|^git_commit|^command|^data_dir|^worker|^shared_object_id)$"
)
OF_TIMES = ("sha256", "state")  # arrays: a checkpoint's checksum, which covers times, and the files of a cache
LEFT_OVER = "left over"
TORN = ".torn"  # the content of a file that cannot be read
NAMELESS = ("tensorboard", "workers")  # whose files are named after a time or a process
RANDOM = re.compile(r"\d{15,}")  # the name that TensorFlow gives the shards of a disk cache
OF_RANDOM = ("checksums.json", "dataset_spec.pb", "snapshot.metadata")  # which hold it
LOCKS = (".lock", ".prepare.lock")  # which may be missing


def of_folder(folder: pathlib.Path) -> dict[str, Any]:
    """The folders and the files below a folder, by relative path: None for a folder, else the content of the file."""
    contents: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = RANDOM.sub("RANDOM", str(path.relative_to(folder)))
        if path.name not in LOCKS and not any(part in NAMELESS for part in path.relative_to(folder).parts[:-1]):
            contents[name] = None if path.is_dir() else _content(path, str(folder))
    return contents


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """One line for each file or folder that is missing, left over or other than expected."""
    missing = [f"{name}: missing" for name in expected if name not in actual]
    left = [f"{name}: {LEFT_OVER}" for name in actual if name not in expected]
    other = [
        f"{name}: {_first_difference(expected[name], actual[name])}"
        for name in expected
        if name in actual and expected[name] != actual[name]
    ]
    return [*missing, *left, *other]


def raw(folder: pathlib.Path) -> dict[str, str]:
    """The bytes of every file below a folder, as SHA-256, and its folders."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copy a folder to a place where nothing is."""
    shutil.copytree(source, target, symlinks=True)


def _content(path: pathlib.Path, folder: str) -> Any:
    try:
        if path.name in OF_RANDOM:
            return path.stat().st_size > 0
        if path.suffix == ".json":
            return _timeless(json.loads(path.read_text(encoding="utf-8").replace(folder, "FOLDER")))
        if path.name == "journal.jsonl":
            return _journal(path)
        if path.suffix == ".jsonl":
            return [_timeless(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        if path.suffix == ".npz":
            return _arrays(path)
        if path.suffix == ".keras":
            return _model(path)
        if path.suffix in (".html", ".md", ".png"):  # they show times
            return _is_whole(path)
        if ".tfrecord" in path.name:  # the order of features in a record is free; provenance.json has fingerprints
            return path.stat().st_size
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (ValueError, OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
        return f"{TORN}: {type(error).__name__}: {error}"


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if not TIMES.search(key)}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _journal(path: pathlib.Path) -> Any:
    """The trials that ended, each of which must have ended once, and the values of those that began."""
    events = [_timeless(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    for event in events:
        del event["line"]  # kills add lines
    ended = sorted((event for event in events if event["event"] == "end"), key=lambda event: event["trial"])
    begun = {event["trial"]: event["values"] for event in events if event["event"] == "begin"}
    return {"ended": ended, "begun": begun}


def _arrays(path: pathlib.Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        timeless = {name: arrays[name] for name in arrays.files if name not in OF_TIMES}
    return {
        name: _timeless(json.loads(str(value)))
        if value.dtype.kind == "U" and str(value).startswith("{")
        else _of(value)
        for name, value in timeless.items()
    }


def _model(path: pathlib.Path) -> dict[str, Any]:
    """The configuration and the weights of a model."""
    weights: dict[str, str] = {}
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(
            lambda name, item: weights.update({name: _of(item[()])}) if isinstance(item, h5py.Dataset) else None
        )
        return {"config": _timeless(json.loads(archive.read("config.json"))), "weights": weights}


def _of(array: np.ndarray) -> str:
    array = np.asarray(array)
    return f"{array.dtype}{list(array.shape)} {hashlib.sha256(array.tobytes()).hexdigest()}"


def _is_whole(path: pathlib.Path) -> bool:
    data = path.read_bytes()
    ends = {".html": b"</html>", ".png": b"IEND\xaeB`\x82", ".md": b""}
    return bool(data) and data.strip().endswith(ends[path.suffix].strip())


def _first_difference(expected: Any, actual: Any) -> str:
    if isinstance(expected, list) and isinstance(actual, list):
        expected, actual = dict(enumerate(expected)), dict(enumerate(actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            if expected.get(key) != actual.get(key):
                return f"{key}: {_first_difference(expected.get(key), actual.get(key))}"
    return f"{str(actual)[:120]}; expected {str(expected)[:120]}"
