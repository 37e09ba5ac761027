"""Readers of saved files, without TensorFlow: each returns what a file stands for, or raises an error of the project.

The error is one line that names the file.
"""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from benchmarks.harness import results
from models.config import saved
from models.exporting import folder as export_folder
from models.exporting import formats, labels
from models.reporting import comparison_page, sections
from models.runs.folder import RunFolder
from pipeline.common import errors, files
from pipeline.datasets import integrity
from tests.conftest import ROOT
from tests.descriptions import CIFAR100
from tests.faults.damage import kinds
from tests.models.reporting.run_files import (
    CONFIG,
    REPORT,
    make_calibration,
    make_confusion,
    make_mistakes,
    make_predictions,
    make_rows,
)
from tuning.sessions.folder import SessionFolder
from tuning.studies import folder as study_folder

OF_710A023 = ROOT / "tests" / "tuning" / "written_by_710a023"


@dataclasses.dataclass(frozen=True)
class File:
    """A saved file: its path in the folder that `make` makes, and what reads it."""

    name: str
    make: Callable[[pathlib.Path], object]
    read: Callable[[pathlib.Path], object]


def _make_run(folder: pathlib.Path) -> None:
    shutil.copytree(ROOT / "tests" / "models" / "written_by_710a023" / "finished", folder)
    run = RunFolder(folder)
    run.write_report({**REPORT, "split": make_predictions()["split"]})
    run.write_metrics(make_rows(2))
    run.write_evaluated("confusion", make_confusion())
    run.write_evaluated("calibration", make_calibration())
    run.write_evaluated("mistakes", make_mistakes())
    run.write_evaluated("predictions", make_predictions())
    run.write_description(CIFAR100)
    run.page.write_text("<html></html>")
    (folder / "config.json").write_text(json.dumps(CONFIG))


def _confused(folder: pathlib.Path) -> object:
    document = RunFolder(folder).evaluated("confusion")
    return document and sections.mistakes(document)


def _calibrated(folder: pathlib.Path) -> object:
    run = RunFolder(folder)
    return sections.calibration_metrics(run.report(), run.evaluated("calibration"))


def _compared(folder: pathlib.Path) -> object:
    """The differences from another run, which has the same predictions."""
    other = folder.with_name(f"{folder.name} before")
    _make_run(other)
    return comparison_page.grids(comparison_page.read([RunFolder(other), RunFolder(folder)]))


def _make_export(folder: pathlib.Path) -> None:
    """An export of a file that no runtime reads."""
    with export_folder.replacing(folder) as staging:
        for name in (formats.PATHS["litert"], labels.NAME, export_folder.MODEL_CARD):
            (staging / name).write_text("{}")
        files.write_json(staging / export_folder.IDENTITY, {"files": export_folder.digests(staging)})


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


_DATA = "shapes100_tiny/1.0.0"
FILES = (
    File("config.json", _make_run, lambda folder: RunFolder(folder).config()),
    File("config.json", _make_run, lambda folder: saved.load(folder / "config.json")),
    File("report.json", _make_run, lambda folder: RunFolder(folder).report()),
    File("metrics.jsonl", _make_run, lambda folder: RunFolder(folder).rows()),
    File("confusion.json", _make_run, _confused),
    File("calibration.json", _make_run, _calibrated),
    File("mistakes.json", _make_run, lambda folder: RunFolder(folder).evaluated("mistakes")),
    File("predictions.json", _make_run, _compared),
    File("dataset.json", _make_run, lambda folder: RunFolder(folder).description()),
    File("report.html", _make_run, lambda folder: RunFolder(folder).has_page),
    *(
        File(name, _make_export, export_folder.check)
        for name in (export_folder.IDENTITY, export_folder.MODEL_CARD, labels.NAME, formats.PATHS["litert"])
    ),
    File("session.json", _make_session, lambda folder: SessionFolder(folder).identity()),
    File("journal.jsonl", _make_session, lambda folder: SessionFolder(folder).journal.events()),
    File("trials/0.json", _make_session, lambda folder: SessionFolder(folder).records()),
    File("retrained.json", _make_session, lambda folder: SessionFolder(folder).retrained()),
    File("study.json", _make_study, lambda folder: study_folder.StudyFolder(folder).precision),
    File("cells/all-seed-0.json", _make_study, lambda folder: study_folder.StudyFolder(folder).results()),
    File("augment.json", _make_result, _read_result),
    *(
        File(f"{_DATA}/{name}", _make_data, _check_data)
        for name in (
            *("dataset_info.json", "features.json", "label.labels.txt", "coarse_label.labels.txt", "provenance.json"),
            "shapes100_tiny-train.tfrecord-00000-of-00001",
        )
    ),
)


def read(file: File, kind: str, folder: pathlib.Path) -> str:
    """What is wrong with how a damaged file is read; "" where nothing is."""
    file.make(folder / "made")
    kinds.damage(folder / "made" / file.name, kind)
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
