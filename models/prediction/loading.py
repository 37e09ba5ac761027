"""Image files as the network takes them, or the reason why one cannot be read."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf

from models.prediction.predictor import Predictor
from pipeline import source, stages
from pipeline.datasets import images, png, resizing

Loaded: TypeAlias = np.ndarray | str  # uint8 [S, S, 3], or a predicate such as `is empty`
T = TypeVar("T")
CHUNK = source.CHUNK  # files of a call at most
# Of images that are larger, one is read and decoded at a time: it may take 2 GB.
LARGE = 1 << 22  # pixels
LARGE_BYTES = 1 << 24
_working_on_large = threading.RLock()


def load(predictor: Predictor, paths: Sequence[str]) -> list[Loaded]:
    """The images in at most CHUNK files, prepared for the network.

    PNG files as data sets have them are decoded together by TensorFlow: to the same pixels, in less time than by
    Pillow, and while other threads run Python.
    """
    loaded: dict[int, Loaded] = {}
    plain: dict[int, bytes] = {}
    for place, path in enumerate(paths):
        prepared = _or_reason(_prepared, predictor, path)
        if isinstance(prepared, bytes):
            plain[place] = prepared
        else:
            loaded[place] = prepared
    try:
        if plain:
            decoded = _decode_plain(tf.constant(list(plain.values())), predictor.image_size).numpy()
            loaded |= zip(plain, resizing.center_crop(decoded, predictor.input_size), strict=True)
    except tf.errors.InvalidArgumentError:  # one of them is damaged
        loaded |= {place: _or_reason(_decoded, predictor, file) for place, file in plain.items()}
    return [loaded[place] for place in range(len(paths))]


def _or_reason(function: Callable[..., T], *arguments: Any) -> T | str:
    """What a function returns of an image file, or why it cannot."""
    try:
        return function(*arguments)
    except images.ImageError as error:
        return str(error)
    except MemoryError:
        return "does not fit into memory"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _prepared(predictor: Predictor, path: str) -> np.ndarray | bytes:
    """The image in a file, prepared for the network; of a plain PNG file of the data set's size its content."""
    num_bytes = images.num_bytes(path)
    with _one_at_a_time(num_bytes > LARGE_BYTES):
        file = images.content(path, num_bytes)
        is_plain = png.is_plain(file, predictor.image_size, predictor.image_size)
        return file if is_plain else _decoded(predictor, file)


def _decoded(predictor: Predictor, file: bytes) -> np.ndarray:
    with _one_at_a_time(images.num_pixels(file) > LARGE):
        return predictor.prepare(images.decode(file).pixels)


def _one_at_a_time(is_large: bool) -> contextlib.AbstractContextManager[Any]:
    return _working_on_large if is_large else contextlib.nullcontext()


@tf.function(autograph=False, reduce_retracing=True)
def _decode_plain(files: tf.Tensor, size: int) -> tf.Tensor:
    with tf.device("/CPU:0"):
        return stages.decode_png(files, size)
