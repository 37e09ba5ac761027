"""`report.json` and the rows of `metrics.jsonl`, whose keys other people's scripts rely on."""

import importlib.metadata
import platform
from typing import Any

import keras
import tensorflow as tf

from models.config import compare_with_preset
from models.config.training import TrainConfig
from models.metrics import EVALUATED, METRICS, coarse_source
from models.reporting import flops
from models.reporting.figures import SAME_RECORDS
from models.runs.checkpoints import Progress
from models.runtime import device, precision
from models.runtime.git_commit import git_commit
from pipeline.batches import OpenedData
from pipeline.common import cpu
from pipeline.common.process import environment
from pipeline.datasets import prepared
from pipeline.epochs import EpochSchedule
from pipeline.resolution import ResolutionSchedule

PROVENANCE = ("how", "official")  # of what pipeline.prepare recorded; no path of anybody's machine
OPEN_IN_PRESETS = ("dataset", "fine_key", "coarse_key", "image_size", "crop_size", "seed", "precision")
PACKAGES = ("streaming-cifar100", "keras", "tensorflow-datasets", "numpy")


def of_training(
    opened: OpenedData,
    config: TrainConfig,
    model: keras.Model,
    progress: Progress,
    epochs: EpochSchedule,
    num_replicas: int,
) -> dict[str, Any]:
    """The report of a finished training, with validation metrics; null accuracies where nothing was held out."""
    data, num_examples = opened.config, opened.num_examples
    # Before this function itself takes memory. Linux may count a page in the present memory sooner than in the peak.
    present = [row.get("rss_mib", 0.0) for row in progress.rows]
    peak_rss_mib = max(progress.peak_rss_mib, device.peak_rss_mib(), *present)
    provenance = prepared.provenance(data.data_dir, data.prepared_name)
    changes = compare_with_preset(data, config, opened.description)
    changes = {name: change for name, change in changes.items() if name not in OPEN_IN_PRESETS}
    steps_by_size = ResolutionSchedule.from_shares(data.resolutions, opened.input_size).steps_by_size(
        progress.step, epochs.total_steps
    )
    images_by_size = {size: steps * data.batch_size for size, steps in steps_by_size.items()}
    trained_epochs = min(config.epochs, progress.step * data.batch_size / epochs.views)
    policy = precision.policy_name(model)
    return {
        "dataset": opened.description.dataset,
        "dataset_provenance": {name: provenance.get(name) for name in PROVENANCE},
        "fingerprints": progress.fingerprints,
        "trunk_records": progress.trunk_records,
        "earlier_trunk_records": progress.earlier_trunk_records,
        **{f"num_{split}": num_examples[split] for split in ("train", "validation", "test")},
        "preset": config.preset,
        "preset_changes": {name: change.value for name, change in changes.items()},
        "preset_values": {name: change.standard for name, change in changes.items()},
        "precision": policy,
        "precision_reason": progress.precision_reason if policy == config.precision else "every layer is float32",
        "seed": config.seed,
        "epochs": round(trained_epochs, 4),
        "steps": progress.step,
        "rollbacks": progress.rollbacks,
        **evaluated("validation", num_examples["validation"], progress.final, SAME_RECORDS),
        **flip_averaged({}),
        "calibration": {},
        "coarse_source": coarse_source(config) if opened.description.classes.coarse else None,
        "num_classes": opened.description.classes.counts,
        "examples_per_class": {level: counts.tolist() for level, counts in opened.class_counts.items()},
        "image_size": opened.description.image_size,
        "input_size": opened.input_size,
        "train_seconds": round(progress.train_seconds, 3),
        "examples_per_second": round(progress.step * data.batch_size / progress.train_seconds, 1),
        "train_petaflop": flops.train_petaflop(model, config, images_by_size),
        "executed_petaflop": flops.executed_petaflop(model, config, images_by_size, data.batch_size),
        "optimizer_petaflop": flops.optimizer_petaflop(model, config, progress.step),
        "peak_rss_mib": round(peak_rss_mib, 1),
        "num_parameters": model.count_params(),
        "num_replicas": num_replicas,
        "sync_batch_norm": config.get("sync_batch_norm", False),
        "num_processors": cpu.count(),
        "device": device.describe(),
        "settings": environment.followed(),
        "versions": versions(),
        "git_commit": git_commit(),
    }


def evaluated(split: str, num_examples: int, means: dict[str, float], records: str) -> dict[str, Any]:
    """The keys that an evaluation replaces in a report; null for a missing head and without examples.

    `records` is what the evaluated data set is for the run, SAME_RECORDS, OTHER_RECORDS or UNKNOWN_RECORDS.
    """
    metrics = {name: means.get(name) for name in EVALUATED}
    return {"split": split, "examples_evaluated": num_examples, "evaluated_records": records, **metrics}


def evaluated_again(report: dict[str, Any], values: dict[str, Any], calibration: dict[str, Any]) -> dict[str, Any]:
    """A report with `evaluated` and `flip_averaged` values; its key `evaluations` holds the last ones of each split.

    So does `calibration` hold the last `calibration.summary` of each split.
    """
    before = {name: report[name] for name in values if name in report}
    evaluations = {**report.get("evaluations", {report["split"]: before}), values["split"]: values}
    calibrations = {**report.get("calibration", {}), values["split"]: calibration}
    return {**report, **values, "evaluations": evaluations, "calibration": calibrations}


def flip_averaged(means: dict[str, float]) -> dict[str, Any]:
    """The keys of accuracies averaged over each image and its mirror image; null before an evaluation."""
    return {f"flip_averaged_{name}": means.get(name) for name in METRICS if name.endswith("accuracy")}


def row(
    progress: Progress, means: dict[str, float], validation: dict[str, float], rate: float, images_per_s: float
) -> dict[str, Any]:
    """A row of `metrics.jsonl`: an epoch's training and validation metrics, null as in `evaluated`."""
    return {
        "epoch": progress.epoch + 1,
        "step": progress.step,
        "learning_rate": rate,
        **{f"train_{name}": means.get(name) for name in METRICS},
        **{f"validation_{name}": validation.get(name) for name in EVALUATED},
        "train_seconds": round(progress.train_seconds, 3),
        "examples_per_second": round(images_per_s, 1),
        "rss_mib": round(device.rss_mib(), 1),
    }


def validation_of(last_row: dict[str, Any]) -> dict[str, float]:
    """The validation metrics of a row, without those that are null."""
    values = {name: last_row.get(f"validation_{name}") for name in EVALUATED}
    return {name: value for name, value in values.items() if value is not None}


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a result depends on."""
    versions = {"python": platform.python_version(), "tensorflow": tf.__version__}  # whose wheel has several names
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # a checkout that was never installed
            versions[package] = "not installed"
    return versions
