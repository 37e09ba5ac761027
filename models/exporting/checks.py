"""Compares the outputs of exported files, each in its own runtime, with those of the trained model in float32."""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

from models.exporting import formats, isolated
from models.runtime import global_settings
from pipeline import stages
from pipeline.batches import OpenedData
from pipeline.common import cpu, errors, progress

NUM_COMPARED = 1000  # images whose probabilities are compared; accuracies are of the whole validation split
MIN_AGREEMENT = 0.999  # of a format in float32
LEVEL = 0.95  # of intervals


@dataclasses.dataclass(frozen=True)
class Images:
    """The images of a check in a file, uint8 [N, S, S, 3], and their labels, int [N], by level."""

    split: str
    path: pathlib.Path
    labels: Mapping[str, np.ndarray]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.labels["fine"])

    def read(self) -> np.ndarray:
        """The images, from the disk as they are used."""
        return np.load(self.path, mmap_mode="r")


@dataclasses.dataclass(frozen=True)
class Answers:
    """By output, "fine" and "coarse": the classes of all images, and the probabilities of the first NUM_COMPARED."""

    classes: Mapping[str, np.ndarray]
    probabilities: Mapping[str, np.ndarray]

    def accuracy(self, labels: Mapping[str, np.ndarray], level: str) -> float | None:
        """The share of images whose class is right; None without such an output."""
        return float(np.mean(self.classes[level] == labels[level])) if level in self.classes else None


def chunks(opened: OpenedData, split: str, limit: int) -> Iterator[dict[str, np.ndarray]]:
    """The first `limit` examples of a split as the network takes them, in chunks, labels included."""
    examples = stages.chain(opened.examples(split), (stages.CenterCrop(opened.input_size),))
    left = limit
    with opened.reading(), progress.task(f"reading images of {split}", limit, "images") as task:
        for chunk in examples.as_numpy_iterator():
            yield {name: values[:left] for name, values in chunk.items()}
            task.advance(min(left, len(chunk["image"])))
            left -= len(chunk["image"])
            if left <= 0:
                return


def write_images(opened: OpenedData, folder: pathlib.Path, split: str) -> Images:
    """Write the images of a check: of the whole "validation" split, or of NUM_COMPARED from "train"."""
    path, count = folder / "images.npy", opened.num_examples[split]
    count = count if split == "validation" else min(count, NUM_COMPARED)
    labels: dict[str, list[np.ndarray]] = {level: [] for level in opened.description.classes.names}
    with path.open("wb") as file:  # not memory-mapped: a full disk would end the process
        shape = (count, opened.input_size, opened.input_size, 3)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for chunk in chunks(opened, split, count):
            file.write(chunk["image"].tobytes())
            for level, numbers in labels.items():
                numbers.append(chunk[level])
    return Images(split, path, {level: np.concatenate(numbers) for level, numbers in labels.items()})


@global_settings.defaults()
def answers_here(model: keras.Model, images: Images, label: str) -> Answers:
    """What a model of this process answers: images -> probabilities by output."""
    predict = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True, autograph=False)
    classes: dict[str, list[np.ndarray]] = {name: [] for name in model.output}
    first: dict[str, list[np.ndarray]] = {name: [] for name in model.output}
    pixels = images.read()
    with progress.task(label, images.count, "images") as task:
        for start in range(0, images.count, isolated.BATCH):
            batch = tf.constant(pixels[start : start + isolated.BATCH])
            for name, probabilities in predict(batch).items():
                if start < NUM_COMPARED:  # an empty view would keep all of them in memory
                    first[name].append(probabilities.numpy()[: NUM_COMPARED - start])
                classes[name].append(probabilities.numpy().argmax(axis=1))
            task.advance(len(batch))
    return Answers(*({name: np.concatenate(parts) for name, parts in one.items()} for one in (classes, first)))


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """A context in which GPUs multiply float32 as float32, without TF32, which rounds to 10 bits."""
    config, before = tf.config.experimental, tf.config.experimental.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        config.enable_tensor_float_32_execution(before)


def answers_elsewhere(format_name: str, path: pathlib.Path, images: Images) -> tuple[Answers, dict[str, Any]]:
    """What an exported file answers in a process without this project, and what `export.json` has of that: `isolated`.

    Raises:
      errors.FailedError: the runtime refuses the file.
    """
    with tempfile.TemporaryDirectory() as folder, progress.task(f"checking {format_name} in its own runtime"):
        answers_path = pathlib.Path(folder) / "answers.npz"
        script = pathlib.Path(isolated.__file__)
        arguments = (format_name, path.absolute(), images.path.absolute(), answers_path, NUM_COMPARED)
        command = [sys.executable, "-P", str(script), *map(str, arguments)]
        # Every runtime is timed on the processors that this process may use.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", isolated.NUM_THREADS: str(cpu.count())}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            reason = done.stderr.strip().rpartition("\n")[2] or f"its process ended with {done.returncode}"
            raise errors.FailedError(f"its runtime refuses it: {reason}")
        with np.load(answers_path) as arrays:
            values = dict(arrays)
    measured = {
        "ms_per_image": float(values.pop("ms_1")),
        "ms_per_image_of_100": float(values.pop(f"ms_{isolated.BATCH}")),
        "runtime": json.loads(str(values.pop("runtime"))),
    }
    names = [name for name in values if not name.endswith("_class")]
    answers = Answers({name: values[f"{name}_class"] for name in names}, {name: values[name] for name in names})
    return answers, measured


def compared(answers: Answers, expected: Answers, labels: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The figures of a format beside the float32 model's: agreement on the first NUM_COMPARED images, and accuracy.

    `agreement` and `accuracy` are of "fine", or of "coarse" where that is the only output; those of "coarse" beside
    "fine" have keys of their own, null where there is one output.
    """
    if {name: one.shape for name, one in answers.probabilities.items()} != {
        name: one.shape for name, one in expected.probabilities.items()
    }:
        raise errors.FailedError(f"its outputs are {sorted(answers.probabilities)} of other shapes than the model's")
    agreements = {
        name: float(np.mean(answers.classes[name][:NUM_COMPARED] == expected.classes[name][:NUM_COMPARED]))
        for name in expected.classes
    }
    differences = [np.abs(answers.probabilities[name] - one).max() for name, one in expected.probabilities.items()]
    main = main_output(expected)
    return {
        "agreement": agreements[main],
        "coarse_agreement": agreements.get("coarse") if main == "fine" else None,
        "largest_difference": float(max(differences)),
        **accuracies(answers, labels),
    }


def main_output(answers: Answers) -> str:
    """The output that is compared first: "fine" where there is one."""
    return "fine" if "fine" in answers.classes else "coarse"


def accuracies(answers: Answers, labels: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """`accuracy` of the main output, and `coarse_accuracy` beside "fine", which is None where there is one output."""
    main = main_output(answers)
    coarse = answers.accuracy(labels, "coarse") if main == "fine" else None
    return {"accuracy": answers.accuracy(labels, main), "coarse_accuracy": coarse}


def check(format_name: str, row: Mapping[str, Any], expected: Mapping[str, float | None], num_images: int) -> None:
    """Check that a format answers as the float32 model does.

    A format in float32 agrees on MIN_AGREEMENT of the images, in each output. Integers round, so that litert_int8 is
    refused only if it is broken: if even the upper end of an accuracy's interval is below half of the one in
    `expected`, those of the float32 model by the keys of `accuracies`.

    Raises:
      errors.FailedError: it does not.
    """
    first = "only" if row["coarse_agreement"] is None else "fine"
    agreements = {first: row["agreement"], "coarse": row["coarse_agreement"]}
    smallest, name = min((value, name) for name, value in agreements.items() if value is not None)
    if not np.isfinite(row["largest_difference"]):
        raise errors.FailedError("some of its probabilities are no numbers")
    if format_name == formats.INT8:
        for output, key in ((first, "accuracy"), ("coarse", "coarse_accuracy")):
            accuracy, usual = row[key], expected[key]
            if usual is not None and interval(accuracy, num_images)[1] < usual / 2:
                raise errors.FailedError(
                    f"its {output} output is right on {100 * accuracy:.2f} % of the images, the float32 model's on "
                    f"{100 * usual:.2f} %"
                )
    elif smallest < MIN_AGREEMENT:
        raise errors.FailedError(
            f"its {name} output agrees with the float32 model on {100 * smallest:.2f} % of the images; expected at "
            f"least {100 * MIN_AGREEMENT:g} %"
        )


def interval(accuracy: float, num_images: int) -> tuple[float, float]:
    """Wilson's score interval of an accuracy on so many images (Wilson 1927), at LEVEL."""
    result = stats.binomtest(round(accuracy * num_images), num_images).proportion_ci(LEVEL, method="wilson")
    return float(result.low), float(result.high)
