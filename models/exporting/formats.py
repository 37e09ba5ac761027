"""The formats of an export: their names, files and packages. Nothing here loads TensorFlow."""

import importlib.util
from collections.abc import Sequence

from pipeline.common import errors

# The file or folder of each format. Only litert_int8 rounds weights and activations.
PATHS = {
    "saved_model": "saved_model",
    "onnx": "model.onnx",
    "litert": "model.tflite",
    "litert_int8": "model_int8.tflite",
    "keras": "model.keras",
}
INT8 = "litert_int8"
_PACKAGES_OF_ONNX = ("tf2onnx", "onnx", "onnxruntime")


def check(names: Sequence[str]) -> None:
    """Check the value of `--format`.

    Raises:
      errors.BadArgumentError: it names no format, an unknown one or one twice, or a package of one is not installed.
    """
    given = ",".join(names)
    if not names or set(names) - set(PATHS) or len(set(names)) < len(names):
        raise errors.BadArgumentError(f"format={given}: expected some of {', '.join(PATHS)}, each once, with commas")
    missing = [name for name in _PACKAGES_OF_ONNX if "onnx" in names and importlib.util.find_spec(name) is None]
    if missing:
        raise errors.BadArgumentError(
            f"format={given}: onnx needs {', '.join(missing)}; run: python -m pip install -e '.[onnx]', or leave it out"
        )
