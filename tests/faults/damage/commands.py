"""Commands on damaged files: each works in a copy of a folder that earlier commands made, with one file damaged."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.harness import subprocess_call
from pipeline.common import errors
from tests.conftest import ROOT
from tests.faults.damage import kinds
from tests.faults.tracing import contents
from tests.faults.tracing.cases import CASES, DATASET, LINEAR, Cases

BATCH, TIMEOUT_SECONDS = 10, 900  # calls that one process makes, and what it may take
STATES = ("finished", "begun", "exported", "session", "study", "cached", "result")
_PREPARED = f"data/{DATASET}/1.0.0"
_OF_DATA = (
    *(f"{_PREPARED}/{name}" for name in ("dataset_info.json", "features.json", "provenance.json", "label.labels.txt")),
    *(f"{_PREPARED}/{name}" for name in ("*-train.tfrecord-*", "*-test.tfrecord-*", "cache/digests.npz")),
)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command and the files that it reads.

    Attributes:
      name: of the command.
      state: what its folder `work` is a copy of, one of STATES.
      arguments: of Python, from the folders home and work.
      files: patterns of paths below `work`.
    """

    name: str
    state: str
    arguments: Callable[[pathlib.Path, pathlib.Path], list[str]]
    files: tuple[str, ...]


def _train_on_trunk(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    run_dirs = [f"--init_from={work / 'run'}", f"--run_dir={work / 'on_trunk'}"]
    return ["-m", "models.train", *LINEAR, *run_dirs, f"--dataset={DATASET}", f"--data_dir={home / 'data'}"]


def _train_with_cache(_: pathlib.Path, work: pathlib.Path) -> list[str]:
    data = [f"--dataset={DATASET}", f"--data_dir={work / 'data'}", "--cache=disk"]
    return ["-m", "models.train", *LINEAR, *data, f"--run_dir={work / 'run'}"]


def _train_as_configured(_: pathlib.Path, work: pathlib.Path) -> list[str]:
    return ["-m", "models.train", f"--config={work / 'run' / 'config.json'}", f"--run_dir={work / 'again'}"]


def _explore(_: pathlib.Path, work: pathlib.Path) -> list[str]:
    data = [f"--dataset={DATASET}", f"--data_dir={work / 'data'}"]
    return ["-m", "pipeline.explore", *data, f"--out={work / 'pages'}"]


def _show(_: pathlib.Path, work: pathlib.Path) -> list[str]:
    return ["-m", "benchmarks.show", f"--files={work / 'augment.json'}"]


def _compare(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    runs = f"--compare={work / 'run'},{home / 'finished' / 'run'}"
    return ["-m", "models.report", runs, f"--out={work / 'comparison.html'}"]


def _of_case(name: str) -> Callable[[pathlib.Path, pathlib.Path], list[str]]:
    return lambda home, work: CASES[name].command(home, work)[1:]


_TRAINED = ("run/config.json", "run/metrics.jsonl")
_EVALUATED = ("run/confusion.json", "run/calibration.json", "run/mistakes.json", "run/predictions.json")
_OF_MODEL = ("run/config.json", "run/dataset.json", "run/report.json", "run/model.keras", "run/calibration.json")
_SESSION = ("session.json", "journal.jsonl", "trials/0.json", "report.json", "best.json")
COMMANDS = (
    Command("train_begun", "begun", _of_case("train"), (*_TRAINED, "run/checkpoint/*.npz")),
    Command(
        "train_finished",
        "finished",
        _of_case("train"),
        (*_TRAINED, "run/report.json", "run/report.html", "run/report.md", *_EVALUATED),
    ),
    Command("train_on_trunk", "finished", _train_on_trunk, ("run/config.json", "run/model.keras")),
    Command("train_as_configured", "finished", _train_as_configured, ("run/config.json",)),
    Command("train_with_cache", "cached", _train_with_cache, (*_OF_DATA, f"{_PREPARED}/cache/train-*/**/*")),
    Command(
        "evaluate",
        "finished",
        _of_case("evaluate"),
        (*_TRAINED, "run/report.json", "run/model.keras", *_EVALUATED),
    ),
    Command("report", "finished", _of_case("report"), (*_TRAINED, "run/report.json", "run/report.html", *_EVALUATED)),
    Command("compare", "finished", _compare, (*_TRAINED, "run/report.json", "run/predictions.json")),
    Command("predict", "finished", _of_case("predict"), _OF_MODEL),
    Command("export", "exported", _of_case("export"), (*_OF_MODEL, "run/export/*")),
    Command("tune", "session", _of_case("tune"), tuple(f"session/{name}" for name in _SESSION)),
    Command("study", "study", _of_case("study"), ("study/study.json", "study/cells/same-*.json", "study/report.json")),
    Command("prepare", "cached", _of_case("prepare"), _OF_DATA),
    Command("explore", "cached", _explore, _OF_DATA),
    Command("show", "result", _show, ("augment.json",)),
)


# What a file may hold.
_HARMLESS = {("train_as_configured", "an empty object")}  # --config without a field: the defaults, which are CIFAR-100


def make_states(home: pathlib.Path) -> None:
    """Make the folders that the commands work in copies of."""
    cases = Cases(home)
    for name, state in (("train", "finished"), ("evaluate", "finished"), ("tune", "session"), ("study", "study")):
        cases.begin(dataclasses.replace(CASES[name], begins_with=""))
        _check(cases.finish(CASES[name], home / state))
    contents.copy(home / "finished", home / "begun")
    for name in ("report.json", "report.html", "model.keras"):
        (home / "begun" / "run" / name).unlink()
    contents.copy(home / "finished", home / "exported")
    _check(cases.finish(CASES["export"], home / "exported"))
    (home / "cached").mkdir()
    (home / "data").rename(home / "cached" / "data")
    subprocess_call.run("models.train", [sys.executable, *_train_with_cache(home, home / "cached")])
    shutil.rmtree(home / "cached" / "run")
    contents.copy(home / "cached" / "data", home / "data")
    (home / "result").mkdir()
    shutil.copy(ROOT / "benchmarks" / "results" / "augment.json", home / "result")


def _check(problems: list[str]) -> None:
    if problems:
        raise errors.FailedError(problems[0])


def tries(command: Command, home: pathlib.Path) -> list[tuple[str, str]]:
    """The file of each call, relative to `work`, and its damage; binary files get the damage of bytes."""
    state = home / command.state
    paths = [path for pattern in command.files for path in sorted(state.glob(pattern)) if path.is_file()]
    return [
        (str(path.relative_to(state)), kind)
        for path in paths
        for kind in (kinds.OF_TEXT if path.suffix in (".json", ".jsonl") else kinds.OF_BYTES)
        if (command.name, kind) not in _HARMLESS
    ]


def problems(command: Command, home: pathlib.Path) -> Iterator[tuple[str, str, str]]:
    """The file, the damage and what is wrong with each call; "" where nothing is."""
    waiting = tries(command, home)
    while waiting:
        batch = waiting[:BATCH]
        with tempfile.TemporaryDirectory(dir=home) as folder:
            works = [pathlib.Path(folder, str(number)) for number in range(len(batch))]
            for work, (name, kind) in zip(works, batch, strict=True):
                contents.copy(home / command.state, work)
                kinds.damage(work / name, kind)
            before = [_bytes(work / name) for work, (name, _) in zip(works, batch, strict=True)]
            ends = _ends([command.arguments(home, work) for work in works], pathlib.Path(folder))
            for work, (name, kind), data, end in zip(works, batch, before, ends, strict=False):
                problem = _problem(end, work)
                if not problem and end["code"] and _bytes(work / name) != data:
                    problem = f"the damaged file has changed, although: {end['line']}"
                yield name, kind, problem
        waiting = waiting[len(ends) :]


def _bytes(path: pathlib.Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _ends(calls: Sequence[list[str]], folder: pathlib.Path) -> list[dict[str, Any]]:
    """The exit codes and last lines of calls, up to the first that hangs or ends their process."""
    out, flags = folder / "ends.jsonl", [json.dumps(arguments[2:]) for arguments in calls]
    command = [sys.executable, "-m", "tests.faults.tracing.batch", str(out), calls[0][1], *flags]
    reason = "its process has died"
    try:
        subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        reason = f"longer than {TIMEOUT_SECONDS} s"
    ends = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    return ends if len(ends) == len(calls) else [*ends, {"code": -1, "line": reason}]


def _problem(end: dict[str, Any], work: pathlib.Path) -> str:
    """What is wrong with how a call ended; "" where it succeeded, or failed in one line that names a file of `work`."""
    code, line = end["code"], end["line"]
    is_error = code in (1, 2) and line.startswith("error: ") and str(work) in line
    return "" if code == 0 or (is_error and "shows the traceback" not in line) else f"exit code {code}: {line[-300:]}"
