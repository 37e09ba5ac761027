"""`labels.json`: the meaning of the outputs of exported files. It is next to the files, and inside each of them.

{"dataset", "fine": [names], "coarse": [names], "fine_to_coarse": [numbers], "image_size", "input_size",
"temperatures": {...}}
"""

import json
import pathlib
import zipfile
from collections.abc import Mapping

from pipeline.common import files
from pipeline.datasets.description import Description

NAME = "labels.json"


def as_json(description: Description, size: int, temperatures: Mapping[str, float]) -> str:
    """The content of `labels.json`; `size` is that of the images that the model takes: the middle of the data set's."""
    classes = description.classes
    values = {
        "dataset": description.dataset,
        "fine": classes.fine,
        "coarse": classes.coarse,
        "fine_to_coarse": classes.fine_to_coarse,
        "image_size": description.image_size,
        "input_size": size,
        "temperatures": dict(temperatures),
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def add(format_name: str, path: pathlib.Path, labels: str) -> None:
    """Add `labels.json` to an exported file where its format has a place for it.

    A SavedModel has the folder `assets.extra`. A .keras file is a ZIP archive. An associated file of a LiteRT model is
    a ZIP archive behind the model (https://ai.google.dev/edge/litert/models/metadata). ONNX has `metadata_props`.
    """
    if format_name == "saved_model":
        files.make_folder(path / "assets.extra")
        files.write_text(path / "assets.extra" / NAME, labels)
    elif format_name == "onnx":
        _add_to_onnx(path, labels)
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(zipfile.ZipInfo(NAME), labels)


def _add_to_onnx(path: pathlib.Path, labels: str) -> None:
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {NAME: labels})
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, path)
