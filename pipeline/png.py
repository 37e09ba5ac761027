"""Images as prepared data sets keep them: PNG, as TFDS has it, but not compressed.

Decoding one then takes a third of the time, and its file half as much space again: 200 MB for all of CIFAR-100.
"""

import io

import numpy as np
import PIL.Image


def encode(image: np.ndarray) -> bytes:
    """A PNG of uint8 [H, W, 3] pixels."""
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG", compress_level=0)
    return file.getvalue()
