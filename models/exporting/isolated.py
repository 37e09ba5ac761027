"""Runs an exported file in its own runtime, in a process that cannot import this project.

    python -P isolated.py FORMAT FILE IMAGES.npy ANSWERS.npz NUM_PROBABILITIES

IMAGES are uint8 [N, S, S, 3]. ANSWERS get the probabilities of the first images, float32 [NUM_PROBABILITIES, classes]
by output, the most probable class of every image, int64 [N] by `OUTPUT_class`, milliseconds, and as JSON the versions
of the runtime's packages.
"""

import importlib
import importlib.abc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PROJECT = ("pipeline", "models", "tuning", "benchmarks")
NUM_THREADS = "EXPORT_CHECK_THREADS"  # environment variable: those of LiteRT, which takes one by default
# The modules of the runtime of each format.
RUNTIMES = {
    "saved_model": ("tensorflow",),
    "keras": ("keras", "tensorflow"),
    "onnx": ("onnxruntime",),
    **dict.fromkeys(("litert", "litert_int8"), ("ai_edge_litert",)),
}
BATCH = 100
TIMED = {1: 200, BATCH: 20}  # calls at most, by the number of images in one
MAX_SECONDS = 3.0  # of them together
Predict = Callable[[np.ndarray], dict[str, np.ndarray]]


class NoProject(importlib.abc.MetaPathFinder):
    """Refuses to import this project."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Raise ImportError for the project's packages; leave others to the next finder."""
        if fullname.partition(".")[0] in PROJECT:
            raise ImportError(f"{fullname} is of the project, which exported files do without")


def load(format_name: str, path: str) -> Predict:
    """A function uint8 [B, S, S, 3] -> probabilities by output, float32 [B, classes]."""
    if format_name == "saved_model":
        import tensorflow as tf

        loaded = tf.saved_model.load(path)  # has to live as long as its signature
        return lambda images: _as_numpy(loaded.signatures["serving_default"](image=tf.constant(images)))
    if format_name == "keras":
        import keras

        model = keras.saving.load_model(path)
        return lambda images: _as_numpy(model.predict_on_batch(images))
    if format_name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return lambda images: dict(zip(names, session.run(names, {"image": images}), strict=True))
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=int(os.environ[NUM_THREADS]))
    runner = interpreter.get_signature_runner()
    return lambda images: runner(image=images)


def _as_numpy(outputs: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in outputs.items()}


def milliseconds(predict: Predict, images: np.ndarray) -> float:
    """Median time of a call, by image. The first calls, which compile and allocate, are not counted."""
    times: list[float] = []
    began = time.perf_counter()
    for number in range(2 + TIMED.get(len(images), TIMED[BATCH])):
        before = time.perf_counter()
        predict(images)
        times += [time.perf_counter() - before] if number >= 2 else []
        if times and time.perf_counter() - began > MAX_SECONDS:
            break
    return 1000 * statistics.median(times) / len(images)


def main(format_name: str, path: str, images_path: str, answers_path: str, num_probabilities: str) -> None:
    """Load, answer, time, write."""
    sys.meta_path.insert(0, NoProject())
    images = np.load(images_path, mmap_mode="r")
    predict = load(format_name, path)
    answers: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(images), BATCH):
        for name, probabilities in predict(np.ascontiguousarray(images[start : start + BATCH])).items():
            if start < int(num_probabilities):  # an empty view would keep all of them in memory
                answers.setdefault(name, []).append(probabilities[: int(num_probabilities) - start])
            answers.setdefault(f"{name}_class", []).append(probabilities.argmax(axis=1))
    batch = np.ascontiguousarray(images[:BATCH])
    values: dict[str, Any] = {name: np.concatenate(parts) for name, parts in answers.items()}
    values |= {"ms_1": milliseconds(predict, batch[:1]), f"ms_{BATCH}": milliseconds(predict, batch)}
    versions = {name.replace("_", "-"): importlib.import_module(name).__version__ for name in RUNTIMES[format_name]}
    np.savez(answers_path, runtime=json.dumps(versions), **values)


if __name__ == "__main__":
    main(*sys.argv[1:])
