"""Damages each saved file in each way, and reads it: the table file x kind of damage.

    python -m tests.faults.damage                # also through the binaries
    python -m tests.faults.damage --readers      # the readers alone: seconds, without TensorFlow

Whatever a file holds, a reader returns what it stands for, or raises an error of the project in one line that names the
file. A binary ends with 0, 1 or 2, in time, without a traceback, and an error names the file.
"""

import dataclasses
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.harness import results
from models.config import saved
from models.runs.folder import RunFolder
from pipeline.common import app, errors, progress
from pipeline.datasets import integrity
from tests.conftest import ROOT
from tests.models.reporting.run_files import CONFIG, REPORT, make_confusion, make_rows
from tuning.sessions.folder import SessionFolder
from tuning.studies import folder as study_folder

flags = app.Flags()
READERS = flags.DEFINE_bool("readers", False, "try the readers alone, without the binaries")
TIMEOUT_SECONDS = 300
NUM_FLIPS = 24
OF_710A023 = ROOT / "tests" / "tuning" / "written_by_710a023"


def _flipped(seed: int) -> Callable[[bytes], bytes]:
    def damaged(data: bytes) -> bytes:
        place, bit = random.Random(seed).randrange(len(data)), seed % 8
        return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

    return damaged


def _with(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """A damage of the first JSON object of a file; a file that is none gets the change of an empty one."""

    def damaged(data: bytes) -> bytes:
        first, line, rest = data.partition(b"\n") if data.startswith(b'{"') else (data, b"", b"")
        try:
            value = json.loads(first)
        except ValueError:
            value = {}
        value = value if isinstance(value, dict) else {}
        change(value)
        return json.dumps(value).encode() + line + rest

    return damaged


def _drop_first(value: dict[str, Any]) -> None:
    if value:
        value.pop(next(iter(value)))


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),  # as after a loss of power
    "truncated": lambda data: data[: len(data) // 2],
    **{f"one flipped bit, seed {seed}": _flipped(seed) for seed in range(NUM_FLIPS)},
    "random bytes": lambda data: random.Random(0).randbytes(200),
    "a list": lambda data: b"[]\n",
    "null": lambda data: b"null\n",
    "a number": lambda data: b"7\n",
    "an empty object": lambda data: b"{}\n",
    "a field is missing": _with(_drop_first),
    "every field is null": _with(lambda value: value.update(dict.fromkeys(value))),
    "every field is a list": _with(lambda value: value.update({name: [] for name in value})),
    "not a number": _with(lambda value: value.update({"x": float("nan")})),
    "UTF-16": lambda data: data.decode("latin-1").encode("utf-16"),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "Latin-1": lambda data: data + "é".encode("latin-1"),
    "of a newer version": _with(lambda value: value.update({"config_format": 99, "a_new_key": {"b": 1}})),
    "nested deeply": lambda data: b"[" * 100_000,
}
KINDS = (*CONTENTS, "a folder", "missing")


@dataclasses.dataclass(frozen=True)
class File:
    """A saved file: its path in the folder that `make` makes, what reads it, and the binary that does."""

    name: str
    make: Callable[[pathlib.Path], object]
    read: Callable[[pathlib.Path], object]
    command: tuple[str, ...] = ()  # {} is the folder


def _make_run(folder: pathlib.Path) -> None:
    shutil.copytree(ROOT / "tests" / "models" / "written_by_710a023" / "finished", folder)
    run = RunFolder(folder)
    run.write_report(REPORT)
    run.write_metrics(make_rows(2))
    run.write_confusion(make_confusion())
    (folder / "config.json").write_text(json.dumps(CONFIG))


def _make_session(folder: pathlib.Path) -> None:
    shutil.copytree(OF_710A023 / "session_home" / "session", folder)
    retrained: dict[str, Any] = {"trial": "1", "untuned": {}, "tuned": {}, "test": {}}
    (folder / "retrained.json").write_text(json.dumps(retrained))


def _make_study(folder: pathlib.Path) -> None:
    shutil.copytree(OF_710A023 / "study", folder)


def _make_result(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks" / "results" / "augment.json", folder / "augment.json")


def _make_data(folder: pathlib.Path) -> None:
    """A prepared data set without its records."""
    place = folder / "shapes100_tiny" / "1.0.0"
    place.mkdir(parents=True)
    splits = [{"name": "train", "shardLengths": ["2"], "numBytes": "10"}]
    info = {"name": "shapes100_tiny", "version": "1.0.0", "splits": splits}
    labels = {"label": {"classLabel": {"numClasses": "2"}}, "coarse_label": {"classLabel": {"numClasses": "2"}}}
    (place / "dataset_info.json").write_text(json.dumps(info))
    (place / "features.json").write_text(json.dumps({"featuresDict": {"features": {"image": {}, **labels}}}))
    for name in labels:
        (place / f"{name}.labels.txt").write_text("one\ntwo\n")
    (place / "provenance.json").write_text(json.dumps({"how": "generated", "fingerprints": {}}))
    (place / "shapes100_tiny-train.tfrecord-00000-of-00001").write_bytes(bytes(10 + 2 * 16))


def _check_data(folder: pathlib.Path) -> None:
    integrity.check(folder / "shapes100_tiny" / "1.0.0")


def _read_result(folder: pathlib.Path) -> None:
    path = folder / "augment.json"
    results.read(path, f"files: {path}:")


_EVALUATE, _SHOW = ("models.evaluate", "--run_dir={}"), ("benchmarks.show", "--files={}/augment.json")
_DATA = "shapes100_tiny/1.0.0"
FILES = (
    File("config.json", _make_run, lambda folder: RunFolder(folder).config(), _EVALUATE),
    File("config.json", _make_run, lambda folder: saved.load(folder / "config.json")),
    File("report.json", _make_run, lambda folder: RunFolder(folder).report(), _EVALUATE),
    File("metrics.jsonl", _make_run, lambda folder: RunFolder(folder).rows(), _EVALUATE),
    File("confusion.json", _make_run, lambda folder: RunFolder(folder).confusion()),
    File("session.json", _make_session, lambda folder: SessionFolder(folder).identity()),
    File("journal.jsonl", _make_session, lambda folder: SessionFolder(folder).journal.events()),
    File("trials/0.json", _make_session, lambda folder: SessionFolder(folder).records()),
    File("retrained.json", _make_session, lambda folder: SessionFolder(folder).retrained()),
    File("study.json", _make_study, lambda folder: study_folder.StudyFolder(folder).precision),
    File("cells/all-seed-0.json", _make_study, lambda folder: study_folder.StudyFolder(folder).results()),
    File("augment.json", _make_result, _read_result, _SHOW),
    *(
        File(f"{_DATA}/{name}", _make_data, _check_data)
        for name in (
            *("dataset_info.json", "features.json", "label.labels.txt", "coarse_label.labels.txt", "provenance.json"),
            "shapes100_tiny-train.tfrecord-00000-of-00001",
        )
    ),
)


def damage(path: pathlib.Path, kind: str) -> None:
    """Damage a file in one of KINDS."""
    data = path.read_bytes()
    if kind not in CONTENTS:
        path.unlink()
    if kind == "a folder":
        path.mkdir()
    if kind in CONTENTS:
        path.write_bytes(CONTENTS[kind](data))


def read(file: File, kind: str, folder: pathlib.Path) -> str:
    """What is wrong with how a damaged file is read; "" where nothing is."""
    file.make(folder / "made")
    damage(folder / "made" / file.name, kind)
    try:
        file.read(folder / "made")
    except (errors.BadArgumentError, errors.FailedError) as error:
        text = str(error)
        if "\n" in text or len(text) > 1000:
            return f"no line: {text[:300]!r}"
        return "" if pathlib.Path(file.name).name in text or str(folder / "made") in text else f"no name: {text[:300]}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def call(file: File, kind: str, folder: pathlib.Path) -> str:
    """What is wrong with how the file's binary takes a damaged file; "" where nothing is."""
    file.make(folder / "made")
    undamaged = _run(file, folder / "made")
    damage(folder / "made" / file.name, kind)
    try:
        done = _run(file, folder / "made")
    except subprocess.TimeoutExpired:
        return f"longer than {TIMEOUT_SECONDS} s"
    if done.returncode not in (0, 1, 2) or "Traceback" in done.stderr:
        return f"exit code {done.returncode}: {done.stderr[-300:]}"
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if bool(done.returncode) != (len(lines) == 1):
        return f"exit code {done.returncode}, {len(lines)} lines: {done.stderr[-300:]}"
    if not lines or str(folder / "made") in lines[0] or done.stderr == undamaged.stderr:
        return ""
    try:
        file.read(folder / "made")
    except (errors.BadArgumentError, errors.FailedError):
        return f"no name: {lines[0][:300]}"
    return ""  # such as another path of the data, which the error names


def _run(file: File, made: pathlib.Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *(part.replace("{}", str(made)) for part in file.command)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)


def main() -> None:
    """Try the whole table, and print the numbers tried and mishandled."""
    tries = [(read, file, kind) for file in FILES for kind in KINDS]
    if not READERS.value:
        tries += [(call, file, kind) for file in FILES if file.command for kind in KINDS]
    problems = 0
    for function, file, kind in progress.track(tries, "damaging files", len(tries), "files"):
        with tempfile.TemporaryDirectory() as folder:
            problem = function(file, kind, pathlib.Path(folder))
        if problem:
            problems += 1
            print(f"{function.__name__} {file.name}, {kind}: {problem}", flush=True)
    print(f"{len(tries)} tried, {problems} mishandled")
    if problems:
        raise errors.FailedError(f"{problems} damaged files are mishandled")


if __name__ == "__main__":
    app.run(main, flags)
