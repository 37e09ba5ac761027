"""PNG without compression, the encoding of prepared images.

Decompression took longer than all other stages of the pipeline together.
"""

import io

import numpy as np
import PIL.Image


def encode(image: np.ndarray) -> bytes:
    """The PNG file of an image, uint8 [H, W, 3]."""
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG", compress_level=0)
    return file.getvalue()


def decode(file: bytes) -> np.ndarray:
    """The pixels of a PNG file, uint8 [H, W, 3]."""
    return np.asarray(PIL.Image.open(io.BytesIO(file)).convert("RGB"))
