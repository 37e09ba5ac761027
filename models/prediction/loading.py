"""Image files as the network takes them, or the reason why one cannot be read."""

import contextlib
import os
import threading
from typing import Any, TypeAlias

import numpy as np
import PIL.Image

from models.prediction.predictor import Predictor
from pipeline.datasets import images, png

Loaded: TypeAlias = np.ndarray | str  # uint8 [S, S, 3], or a predicate such as `is empty`
# Of images that are larger, one is read and decoded at a time: it may take 2 GB.
LARGE = 1 << 22  # pixels
LARGE_BYTES = 1 << 24
_working_on_large = threading.RLock()


def load(predictor: Predictor, path: str) -> Loaded:
    """The image in a file, prepared for the network."""
    try:
        with _one_at_a_time(os.path.getsize(path) > LARGE_BYTES):
            file = images.read(path)
            plain = decode_plain_png(file, predictor.input_size) if predictor.takes_whole_images else None
            if plain is not None:
                return plain
            with _one_at_a_time(images.num_pixels(file) > LARGE):
                return predictor.prepare(images.decode(file).pixels)
    except images.ImageError as error:
        return str(error)
    except MemoryError:
        return "does not fit into memory"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _one_at_a_time(is_large: bool) -> contextlib.AbstractContextManager[Any]:
    return _working_on_large if is_large else contextlib.nullcontext()


def decode_plain_png(file: bytes, size: int) -> np.ndarray | None:
    """The pixels of a PNG file as data sets have them, uint8 [S, S, 3], in a fraction of the time of `images.decode`.

    It has `size` pixels each way, in RGB of 8 bits a channel, and no part beside one of the pixels. None for any other
    file, and for one that is damaged.
    """
    rows = png.compressed_rows(file, size, size)
    if rows is None:
        return None
    try:
        image = PIL.Image.frombytes("RGB", (size, size), rows, "zip", "RGB", 0)
    except (ValueError, OSError):
        return None
    return np.frombuffer(image.tobytes(), np.uint8).reshape(size, size, 3)
