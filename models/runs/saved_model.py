"""`model.keras`: a run's trained classifier, without its optimizer."""

import pathlib

import keras

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
    """The classifier that `save` wrote to `path`; errors.FailedError if missing, damaged or of another version."""
    layers.register()
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as error:  # TypeError: a layer that is not, or no longer, registered
        raise errors.FailedError(
            f"{path} is missing, damaged or of another version; train again with another --run_dir"
        ) from error
