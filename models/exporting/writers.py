"""Writes a model of Keras's own layers in each format, by the converter that the format's maintainers name.

SavedModel, LiteRT and ONNX: `keras.Model.export`, which calls TensorFlow, its LiteRT converter and tf2onnx. LiteRT with
integers alone: TensorFlow's converter, calibrated on images (Jacob et al. 2018, arXiv 1712.05877: integers for weights,
by output channel, and activations, by tensor).
"""

import contextlib
import csv
import io
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from models.runtime import global_settings
from pipeline.common.process import streams

# By the dtype of the images, "uint8" or "float32", and whether normalizations are folded: `float32_model`.
Build = Callable[[str, bool], keras.Model]
NUM_LAYERS = 5  # of `least_exact_layers`


@contextlib.contextmanager
def without_messages() -> Iterator[TextIO]:
    """Hide what converters print and warn of, unless `--verbosity=1`; the stream is where stderr was."""
    with streams.writer(os.dup(2)) as stderr, open(os.devnull, "wb") as nowhere, warnings.catch_warnings():
        if logging.get_verbosity() < logging.DEBUG:
            warnings.simplefilter("ignore")
            os.dup2(nowhere.fileno(), 2)
        try:
            yield stderr
        finally:
            os.dup2(stderr.fileno(), 2)


@global_settings.defaults()
def write(format_name: str, path: pathlib.Path, build: Build, calibration: np.ndarray) -> None:
    """Write a model to `path`.

    Args:
      format_name: one of `formats.PATHS`.
      path: of the new file or folder.
      build: returns the model of Keras's own layers.
      calibration: uint8 [N, S, S, 3] training images, by which litert_int8 chooses the ranges of activations.
    """
    if format_name == "keras":
        build("uint8", False).save(path)
    elif format_name == "litert_int8":
        with _converter(build, calibration) as converter:
            path.write_bytes(converter.convert())
    else:
        model = build("uint8", False)
        options: dict[str, Any] = {"format": "tf_saved_model" if format_name == "saved_model" else format_name}
        if format_name == "litert":  # without operations of TensorFlow, which would need its Flex delegate
            options["target_spec"] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
        if format_name == "onnx":  # of a model that was never called
            options["input_signature"] = [keras.InputSpec("uint8", model.input_shape, name="image")]
        model.export(path, verbose=False, **options)


@contextlib.contextmanager
def _converter(build: Build, calibration: np.ndarray) -> Iterator[Any]:
    """TensorFlow's converter to integers alone. Pixels enter as uint8 as they are: a step of the input is 1.

    The converter takes a range of 0 to 255 from the images, and so one of them gets a black and a white pixel.
    """
    images = calibration.astype(np.float32)
    images[0, 0, 0], images[0, 0, -1] = 0, 255
    with tempfile.TemporaryDirectory() as folder:
        build("float32", True).export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ({"image": image[None]} for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        yield converter


@global_settings.defaults()
def least_exact_layers(build: Build, calibration: np.ndarray, images: np.ndarray) -> list[dict[str, Any]]:
    """The NUM_LAYERS operations of a model in integers that lose most on `images`, uint8 [N, S, S, 3].

    The outputs of each are compared with what it would return in float32 of the same inputs (TensorFlow's
    QuantizationDebugger). `error` is their root mean square difference in steps of the output; rounding alone makes
    1 / sqrt(12) = 0.29.
    """
    with _converter(build, calibration) as converter:
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=lambda: ([image[None].astype(np.float32)] for image in images)
        )
        debugger.run()
    table = io.StringIO()
    debugger.layer_statistics_dump(table)
    layers = [
        {
            "layer": row["tensor_name"],
            "operation": row["op_name"],
            "error": float(row["mean_squared_error"]) ** 0.5 / float(row["scale"]),
        }
        for row in csv.DictReader(io.StringIO(table.getvalue()))
    ]
    return sorted(layers, key=lambda layer: -layer["error"])[:NUM_LAYERS]
