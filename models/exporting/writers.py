"""Writes a model of Keras's own layers in each format, by the converter that the format's maintainers name.

SavedModel, LiteRT and ONNX: `keras.Model.export`, which calls TensorFlow, its LiteRT converter and tf2onnx. LiteRT in
integers: TensorFlow's converter, calibrated on images (Jacob et al. 2018, arXiv 1712.05877: integers for weights, by
output channel, and activations, by tensor). The softmax and the sums behind it stay in float32: integers would round
probabilities to steps of 1/256, of which an image with many probable classes gets the same for all.
"""

import contextlib
import csv
import functools
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
from ai_edge_litert.interpreter import Interpreter

from models.runtime import global_settings
from pipeline.common.process import streams

Build = Callable[[bool], keras.Model]  # by whether normalizations are folded: `float32_model.of_stock_layers`
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
        build(False).save(path)
    elif format_name == "litert_int8":
        path.write_bytes(_quantized(build, calibration, calibration[:1]).get_nondebug_quantized_model())
    else:
        model = build(False)
        options: dict[str, Any] = {"format": "tf_saved_model" if format_name == "saved_model" else format_name}
        if format_name == "litert":  # without operations of TensorFlow, which would need its Flex delegate
            options["target_spec"] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
        if format_name == "onnx":  # of a model that was never called
            options["input_signature"] = [keras.InputSpec("uint8", model.input_shape, name="image")]
        model.export(path, verbose=False, **options)


def _quantized(build: Build, calibration: np.ndarray, images: np.ndarray) -> Any:
    """TensorFlow's QuantizationDebugger of the model in integers, which alone keeps chosen operations in float32.

    It compares layers on `images`. The converter takes a range of 0 to 255 for pixels from the calibration images, and
    so one of them gets a black and a white pixel.
    """
    calibration = calibration.copy()
    calibration[0, 0, 0], calibration[0, 0, -1] = 0, 255
    options = functools.partial(tf.lite.experimental.QuantizationDebugOptions, denylisted_ops=["SOFTMAX"])
    with tempfile.TemporaryDirectory() as folder:
        build(True).export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ({"image": image[None]} for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=lambda: ([image[None]] for image in images), debug_options=options()
        )
        interpreter = Interpreter(model_content=debugger.get_nondebug_quantized_model())
        outputs = interpreter.get_signature_runner().get_output_details().values()
        debugger.options = options(denylisted_nodes=[output["name"] for output in outputs])  # the sums among them
    return debugger


@global_settings.defaults()
def least_exact_layers(build: Build, calibration: np.ndarray, images: np.ndarray) -> list[dict[str, Any]]:
    """The NUM_LAYERS operations of a model in integers that lose most on `images`, uint8 [N, S, S, 3].

    The outputs of each are compared with what it would return in float32 of the same inputs (TensorFlow's
    QuantizationDebugger). `error` is their root mean square difference in steps of the output; rounding alone makes
    1 / sqrt(12) = 0.29.
    """
    debugger = _quantized(build, calibration, images)
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
