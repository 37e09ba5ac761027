"""`model.keras`: a run's trained classifier, without its optimizer."""

import json
import pathlib
import re
import zipfile

import keras
import tensorflow as tf

from models import layers
from models.runtime import global_settings
from pipeline.common import errors, files


def save(model: keras.Model, path: pathlib.Path) -> None:
    """Write a model to `path` in one rename, without its optimizer: that would triple the size."""
    optimizer, model.optimizer = model.optimizer, None
    try:
        with files.replacing(path) as temporary:
            model.save(temporary)
    finally:
        model.optimizer = optimizer


@global_settings.defaults()
def load(path: pathlib.Path) -> keras.Model:
    """The classifier that `save` wrote to `path`.

    Raises:
      OSError: the file is missing, or cannot be read.
      errors.NewerVersionError: a newer version of Keras wrote it.
      ValueError: it is damaged.
    """
    layers.register()
    with path.open("rb") as file:
        try:
            with files.decoding(), zipfile.ZipFile(file) as archive:
                if name := archive.testzip():  # compares checksums, which h5py does not
                    raise ValueError(f"the checksum of its {name} is wrong")
                version = json.loads(archive.read("metadata.json"))["keras_version"]
        except ValueError as error:
            raise ValueError(f"it is no model that Keras saved: {error}") from error
    try:
        return keras.saving.load_model(path, compile=False)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:  # Keras and h5py raise errors of many kinds
        problem = f"of Keras {version}; this is {keras.__version__}"
        if _numbers(version) > _numbers(keras.__version__):
            raise errors.NewerVersionError(problem) from error
        raise ValueError(f"{problem}: {error}") from error


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:2]]
