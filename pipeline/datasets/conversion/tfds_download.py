"""Lets TFDS download a data set and prepare it, which the user has asked for."""

import os
import pathlib

import tensorflow_datasets as tfds

from pipeline.common import errors, files, progress
from pipeline.datasets import prepared
from pipeline.datasets.conversion.messages import log


def download(given: str, data_dir: str | os.PathLike[str]) -> None:
    """Prepare NAME, NAME/CONFIG or either with :VERSION by TFDS's own builder of that name, in `data_dir`.

    TFDS keeps the downloaded files in `data_dir/downloads`, where it finds them again.

    Raises:
      errors.BadArgumentError: TFDS has no builder of that name.
      errors.FailedError: it could not be downloaded, or not be written.
    """
    root = prepared.root(data_dir)
    prepared.check_writable(data_dir)
    try:
        builder = tfds.builder(given, data_dir=root)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise errors.BadArgumentError(
            f"dataset=tfds:{given}: TFDS cannot build it ({_one_line(error)}); expected a name of "
            "https://www.tensorflow.org/datasets/catalog"
        ) from error
    log(f"TFDS downloads {given} to {pathlib.Path(root, 'downloads')} and prepares it in {root}")
    try:
        with files.writing("data_dir", root), progress.task(f"TFDS downloads and prepares {given}"):
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    except (errors.BadArgumentError, errors.WriteError):  # of `files.writing`
        raise
    except Exception as error:  # any exception of a builder, which is anybody's code
        raise errors.FailedError(
            f"dataset=tfds:{given}: TFDS could not download and prepare it: {_one_line(error)}; the same "
            "command tries again"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
