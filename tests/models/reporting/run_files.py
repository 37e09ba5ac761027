"""What a finished run's files hold, written by hand: nothing is trained here."""

import numpy as np

from models.reporting import confusion
from pipeline.datasets import labels
from tests.descriptions import CIFAR100

CONFIG = {
    "config_format": 2,
    "dataset": "cifar100",
    "data_dir": "data",
    "archive": "",
    "num_validation": 10_000,
    "split_seed": 0,
    "cache": "memory",
    "shuffle_buffer": 10_000,
    "batch_size": 512,
    "virtual_examples": 0,
    "augmentation": "flip_shift",
    "preset": "quick",
    "architecture": "resnet9",
    "heads": "both",
    "pixel_scaling": "standardise",
    "epochs": 6.0,
    "max_steps": 0,
    "optimizer": "sgd",
    "learning_rate": 2.0,
    "schedule": "warmup_linear",
    "warmup_fraction": 0.25,
    "momentum": 0.85,
    "weight_decay": 5e-4,
    "fine_label_smoothing": 0.2,
    "coarse_label_smoothing": 0.1,
    "coarse_loss_weight": 0.5,
    "coarse_source": "summed",
    "precision": "mixed_bfloat16",
    "jit_compile": "auto",
    "seed": 0,
}
REPORT = {
    "dataset": "cifar100",
    "num_train": 40_000,
    "num_validation": 10_000,
    "num_test": 10_000,
    "preset": "quick",
    "precision": "mixed_bfloat16",
    "seed": 0,
    "epochs": 6.0,
    "steps": 469,
    "split": "validation",
    "examples_evaluated": 10_000,
    "loss": 3.1912,
    "fine_loss": 1.5823,
    "coarse_loss": 0.9711,
    "fine_accuracy": 0.5937,
    "coarse_accuracy": 0.7104,
    "coarse_from_fine_accuracy": 0.7218,
    "coarse_source": "summed",
    "train_seconds": 253.412,
    "examples_per_second": 947.1,
    "train_petaflop": 0.3127,
    "executed_petaflop": 0.2561,
    "optimizer_petaflop": 0.0189,
    "peak_rss_mib": 2217.4,
    "num_parameters": 1_234_568,
    "device": "An 8-core processor, 8 threads, avx2",
    "settings": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "versions": {"python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.1"},
    "git_commit": "0123456789abcdef0123456789abcdef01234567+changes",
}
PIXEL_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4IScHAAK2AQU0pnWqAAAAAElFTkSuQmCC"
RATES = (1.333, 1.7778, 1.3333, 0.8889, 0.4444, 0.0)


def make_rows(num_epochs=6):
    """The rows of a run that learns: every figure differs from every other."""
    return [_row(number, RATES[number % 6]) for number in range(num_epochs)]


def _row(number, rate):
    means = {}
    for split, lag in (("train", 0.0), ("validation", 0.031)):
        loss, accuracy = 3.9 * 0.82**number + lag, 0.64 - 0.5 * 0.62**number + lag
        means |= {
            f"{split}_loss": loss + 1.2,
            f"{split}_fine_loss": loss,
            f"{split}_coarse_loss": 0.62 * loss,
            f"{split}_fine_accuracy": accuracy,
            f"{split}_coarse_accuracy": accuracy + 0.11,
            f"{split}_coarse_from_fine_accuracy": accuracy + 0.13,
        }
    seconds = {"train_seconds": 42.2 * (number + 1), "examples_per_second": 947.1, "rss_mib": 1800.0 + number}
    return {"epoch": number + 1, "step": 78 * (number + 1), "learning_rate": rate, **means, **seconds}


def without(values, *parts):
    """`values` with null where a key has one of the parts in it."""
    return {key: None if any(part in key for part in parts) else value for key, value in values.items()}


def make_counts():
    """Of 100 examples a class: 10 are predicted as the next number, and 40 more apples as pears."""
    fine = 90 * np.eye(100, dtype=np.int64) + 10 * np.roll(np.eye(100, dtype=np.int64), 1, axis=1)
    apple, pear = labels.FINE_NAMES.index("apple"), labels.FINE_NAMES.index("pear")
    fine[apple, [apple, pear]] += [-40, 40]
    members = np.eye(20, dtype=np.int64)[list(labels.FINE_TO_COARSE)]
    return {"fine": fine, "coarse": members.T @ fine @ members}


def make_confusion(*, fine=True, source="summed"):
    """What an evaluation on test leaves, with or without a fine head."""
    counts = make_counts()
    return confusion.document("test", source, CIFAR100.classes, counts if fine else {"coarse": counts["coarse"]})


def make_measures(scale=1.0):
    """Measures of 10,000 answers: every figure differs from every other; the first bins are empty."""
    bins = [[0, None, None] if number < 2 else [769, (number + 0.5) / 15, number / 15] for number in range(15)]
    curve = [[coverage / 100, 0.4 * scale * coverage / 100] for coverage in range(1, 101)]
    measures = {"nll": 1.58, "ece": 0.0812, "brier": 0.543, "aurc": 0.187}
    measures = {name: value * scale for name, value in measures.items()}
    return {**measures, "reliability": bins, "risk_coverage": curve}


def make_calibration():
    """What evaluations on validation and test leave of a model with both heads."""
    answers = {
        "fine": {"before": make_measures(), "after": make_measures(0.9)},
        "coarse": {"before": make_measures(0.7), "after": make_measures(0.6)},
        "coarse_from_fine": {"before": make_measures(0.65), "after": make_measures(0.55)},
    }
    split = {"examples": 10_000, "answers": answers, "within_superclass": 0.34, "heads_agree": 0.88}
    return {
        "temperatures": {"fine": 1.23, "coarse": 1.1, "coarse_from_fine": 1.2},
        "fitted_on": "validation",
        "splits": {"validation": split, "test": {**split, "within_superclass": 0.35, "heads_agree": 0.87}},
    }


def make_mistakes():
    """The most confident mistake of an evaluation on test, with a picture of one pixel."""
    one = {"true": "apple", "predicted": "pear", "probability": 0.987, "index": 12, "png": PIXEL_PNG}
    return {"split": "test", "level": "fine", "mistakes": [one]}


def make_predictions():
    """The predictions of four images by a model whose coarse answer is right once more."""
    labels = {"fine": [0, 1, 2, 3], "coarse": [4, 1, 14, 8]}
    return {"split": "test", "records": "0f", "labels": labels, "predicted": {**labels, "fine": [0, 1, 2, 4]}}
