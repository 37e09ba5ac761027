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
