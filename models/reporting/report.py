"""`report.json` and the rows of `metrics.jsonl`: the keys that other people's scripts rely on."""

import dataclasses
import importlib.metadata
import platform
import subprocess
from typing import Any

import keras
import tensorflow as tf

from models.config import preset_changes
from models.config.training import TrainConfig
from models.metrics import METRICS, coarse_source
from models.reporting import flops
from models.runs.checkpoints import Progress
from models.runtime import device, precision
from pipeline.common.config import CHECKOUT
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared
from pipeline.resolution import ResolutionSchedule

PROVENANCE = ("how", "official", "records_sha256")  # of what pipeline.prepare recorded; no path of anybody's machine
OPEN_IN_PRESETS = ("dataset", "seed", "precision")
PACKAGES = ("streaming-cifar100", "keras", "tensorflow-datasets", "numpy")


@dataclasses.dataclass(frozen=True)
class Counts:
    """Examples of a run: its three splits, and the views that it calls an epoch; and its steps."""

    num_train: int
    num_validation: int
    num_test: int
    views: int
    total_steps: int


def of_training(
    data: DataConfig, config: TrainConfig, model: keras.Model, progress: Progress, counts: Counts
) -> dict[str, Any]:
    """The report of a run that has ended, with validation's figures; null accuracies where nothing was held out."""
    peak_rss_mib = max(progress.peak_rss_mib, device.peak_rss_mib())  # before this function itself takes memory
    provenance = prepared.provenance(data.data_dir, data.dataset)
    steps_by_size = ResolutionSchedule.from_shares(data.resolutions).steps_by_size(progress.step, counts.total_steps)
    images_by_size = {size: steps * data.batch_size for size, steps in steps_by_size.items()}
    trained_epochs = min(config.epochs, progress.step * data.batch_size / counts.views)
    return {
        "dataset": data.dataset,
        "dataset_provenance": {name: provenance.get(name) for name in PROVENANCE},
        "num_train": counts.num_train,
        "num_validation": counts.num_validation,
        "num_test": counts.num_test,
        "preset": config.preset,
        "preset_changes": {
            name: value for name, value in preset_changes(data, config).items() if name not in OPEN_IN_PRESETS
        },
        "precision": precision.policy_name(model),
        "seed": config.seed,
        "epochs": round(trained_epochs, 4),
        "steps": progress.step,
        **evaluated("validation", counts.num_validation, progress.final),
        **flip_averaged({}),
        "coarse_source": coarse_source(config),
        "train_seconds": round(progress.train_seconds, 3),
        "examples_per_second": round(progress.step * data.batch_size / progress.train_seconds, 1),
        "train_petaflop": flops.train_petaflop(model, config, images_by_size),
        "optimizer_petaflop": flops.optimizer_petaflop(model, config, progress.step),
        "peak_rss_mib": round(peak_rss_mib, 1),
        "num_parameters": model.count_params(),
        "device": device.describe(),
        "versions": versions(),
        "git_commit": git_commit(),
    }


def evaluated(split: str, num_examples: int, means: dict[str, float]) -> dict[str, Any]:
    """The keys that an evaluation replaces in a report; null for what was not measured or a head that is not there."""
    return {"split": split, "examples_evaluated": num_examples, **{name: means.get(name) for name in METRICS}}


def evaluated_again(report: dict[str, Any], figures: dict[str, Any]) -> dict[str, Any]:
    """A report with the figures of another evaluation in front; under `evaluations` each split's last ones.

    Args:
      report: as a training or an earlier evaluation left it.
      figures: of `evaluated` and `flip_averaged`.
    """
    before = {name: report[name] for name in figures if name in report}
    evaluations = {**report.get("evaluations", {report["split"]: before}), figures["split"]: figures}
    return {**report, **figures, "evaluations": evaluations}


def flip_averaged(means: dict[str, float]) -> dict[str, Any]:
    """The keys of accuracies that are averaged over each image and its mirror image; null before an evaluation."""
    return {f"flip_averaged_{name}": means.get(name) for name in METRICS if name.endswith("accuracy")}


def row(
    progress: Progress, means: dict[str, float], validation: dict[str, float], rate: float, images_per_s: float
) -> dict[str, Any]:
    """One line of `metrics.jsonl`: an epoch's training and validation figures, null as in `evaluated`."""
    return {
        "epoch": progress.epoch + 1,
        "step": progress.step,
        "learning_rate": rate,
        **{f"train_{name}": means.get(name) for name in METRICS},
        **{f"validation_{name}": validation.get(name) for name in METRICS},
        "train_seconds": round(progress.train_seconds, 3),
        "examples_per_second": round(images_per_s, 1),
    }


def validation_of(last_row: dict[str, Any]) -> dict[str, float]:
    """The validation means of a row, those that were measured."""
    found = {name: last_row[f"validation_{name}"] for name in METRICS}
    return {name: value for name, value in found.items() if value is not None}


def versions() -> dict[str, str]:
    """Of Python and the packages that decide a result."""
    # TensorFlow comes from a wheel of another name on some machines, so its own word counts.
    found = {"python": platform.python_version(), "tensorflow": tf.__version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
            found[package] = "not installed"
    return found


def git_commit() -> str | None:
    """The checkout's commit, with `+changes` where files differ from it; None away from a git checkout."""
    if not (CHECKOUT / ".git").exists():  # installed somewhere inside another project's checkout, perhaps
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(CHECKOUT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
