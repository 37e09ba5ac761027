"""Exports a finished run: writes its formats, checks each in its own runtime, and describes them.

run ─▶ trained model ─▶ float32, Keras's own layers ─▶ probabilities ─▶ FORMAT ─▶ checks ─▶ export.json, MODEL_CARD.md
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from models.config.training import TrainConfig
from models.exporting import checks, float32_model, folder, formats, labels, model_card, writers
from models.prediction.probabilities import add_probabilities
from models.reporting import figures as report_figures
from models.reporting import report
from models.runs.folder import RunFolder
from models.runtime import device, precision
from models.runtime.git_commit import git_commit
from models.training import preconditions
from pipeline.batches import OpenedData
from pipeline.common import errors, files, progress

NUM_CALIBRATION = 500  # training images that choose the ranges of integers
POINTS = 0.01  # lost of an accuracy of litert_int8 above which its least exact layers are listed


@dataclasses.dataclass(frozen=True)
class _Source:
    """A trained run, opened: what every format is made of and compared with."""

    model: keras.Model
    config: TrainConfig
    opened: OpenedData
    temperatures: Mapping[str, float]

    def with_probabilities(self, model: keras.Model) -> keras.Model:
        return add_probabilities(model, self.config, self.opened.description.classes, self.temperatures)

    def stock(self, folds: bool) -> keras.Model:
        return self.with_probabilities(float32_model.of_stock_layers(self.model, self.opened.input_size, folds=folds))


def export(run: RunFolder, format_names: Sequence[str], out: pathlib.Path, data_dir: str = "") -> dict[str, Any]:
    """Write a finished run in some formats to the folder `out`, with `export.json`, which is returned.

    A format that cannot be written, or that fails its check, is left out and listed under `failed`. Nothing is written
    where all fail. `data_dir` is as of `models.training.evaluation.evaluate_run`.

    Raises:
      errors.BadArgumentError: `run` holds no run, `out` holds something else, a format is unknown, or the records are
        others than the run was trained on.
      errors.FailedError: the run has not ended, its data set is not prepared, every format fails, or `out` has an
        `export.json` of something else.
    """
    formats.check(format_names)
    source, split = _open(run, data_dir)
    with folder.replacing(out) as staging:
        with tempfile.TemporaryDirectory(dir=staging) as scratch:
            images = checks.write_images(source.opened, pathlib.Path(scratch), split)
            trained = checks.answers_here(source.with_probabilities(source.model), images, "asking the trained model")
            single = source.with_probabilities(float32_model.rebuild(source.model))
            with checks.without_tf32():
                expected = checks.answers_here(single, images, "asking the model in float32")
            rows, failed = _written(format_names, staging, source, images, expected)
        if not rows:
            raise errors.FailedError(f"format={failure_line(failed)}; nothing was written")
        document = {
            "formats": rows,
            "failed": failed,
            "recipe": report_figures.recipe(run.report()),
            "dataset": source.opened.description.dataset,
            "split": split,
            "num_images": images.count,
            "num_compared": min(images.count, checks.NUM_COMPARED),
            "accuracy_of": checks.main_output(expected),
            "trained": checks.accuracies(trained, images.labels) | {"precision": precision.policy_name(source.model)},
            "float32": checks.accuracies(expected, images.labels),
            "temperatures": source.temperatures,
            "input_size": source.opened.input_size,
            "device": device.describe(),
            "versions": report.versions(),
            "git_commit": git_commit(),
        }
        files.write_text(staging / folder.MODEL_CARD, model_card.render(run, document))
        document["files"] = folder.digests(staging)
        files.write_json(staging / folder.IDENTITY, document)
    return document


def failure_line(failed: Sequence[Mapping[str, str]]) -> str:
    """The formats that failed, why, and what to do, in one line."""
    reasons = "; ".join(f"{one['format']}: {one['reason']}" for one in failed)
    return f"{reasons}; leave out of --format what fails, or report it"


def _open(run: RunFolder, data_dir: str) -> tuple[_Source, str]:
    """A run, and the split on which its exports are checked: "train" where nothing is known to be held out."""
    opened = OpenedData(preconditions.evaluated_data(run, "test", data_dir))
    recorded = run.report().get("fingerprints")
    if recorded and recorded["records"] != opened.fingerprints.records:
        raise errors.BadArgumentError(
            f"data_dir={opened.config.data_dir}: {opened.config.shown_name} has other records there than the run was "
            "trained on; set the --data_dir that it was trained on"
        )
    split = "validation" if recorded and opened.num_examples["validation"] else "train"
    with progress.task(f"loading {run.model}"):
        model = run.load_model()
    _, config = run.configs()
    return _Source(model, config, opened, run.temperatures()), split


def _calibration_images(opened: OpenedData) -> np.ndarray:
    """Training images in the order of their records, which is that of a hash: as good as a draw."""
    count = min(NUM_CALIBRATION, opened.num_examples["train"])
    return np.concatenate([chunk["image"] for chunk in checks.chunks(opened, "train", count)])


def _written(
    format_names: Sequence[str],
    staging: pathlib.Path,
    source: _Source,
    images: checks.Images,
    expected: checks.Answers,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Write the file of the labels and each format; the rows of `export.json`, and the formats that failed, and why."""
    label_text = labels.as_json(source.opened.description, source.opened.input_size, source.temperatures)
    files.write_text(staging / labels.NAME, label_text)
    calibration = _calibration_images(source.opened) if formats.INT8 in format_names else np.zeros(0)
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for name in format_names:
        try:
            rows.append(_exported(name, staging, source, images, expected, label_text, calibration))
        except Exception as error:  # of converters and runtimes: each has its own
            if isinstance(error, MemoryError) or files.os_error(error):
                raise
            failed.append({"format": name, "reason": _one_line(error)})
            folder.remove(staging / formats.PATHS[name])
    return rows, failed


def _exported(
    name: str,
    staging: pathlib.Path,
    source: _Source,
    images: checks.Images,
    expected: checks.Answers,
    label_text: str,
    calibration: np.ndarray,
) -> dict[str, Any]:
    """Write and check a format; its row of `export.json`."""
    path = staging / formats.PATHS[name]
    with writers.without_messages() as stderr, progress.task(f"writing {name}", stream=stderr):
        writers.write(name, path, source.stock, calibration)
        labels.add(name, path, label_text)
    answers, measured = checks.answers_elsewhere(name, path, images)
    figures = checks.compared(answers, expected, images.labels)
    usual = checks.accuracies(expected, images.labels)
    checks.check(name, figures, usual, images.count)
    row = {
        "format": name,
        "path": formats.PATHS[name],
        **figures,
        "bytes": sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()),
        **measured,
    }
    if name == formats.INT8 and any(one is not None and figures[key] < one - POINTS for key, one in usual.items()):
        with writers.without_messages() as stderr, progress.task("comparing the layers of litert_int8", stream=stderr):
            row["least_exact_layers"] = writers.least_exact_layers(source.stock, calibration, images.read()[:50])
    return row


def _one_line(error: Exception) -> str:
    text = str(error) if isinstance(error, errors.FailedError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:500]
