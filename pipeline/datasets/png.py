"""PNG without compression, the encoding of prepared images.

Decompression took longer than all other stages of the pipeline together. Rows are not filtered, which only helps
compression: Pillow tries every filter for each row, and takes 18 times as long.
"""

import io
import struct
import zlib

import numpy as np
import PIL.Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_8_BITS_RGB = struct.pack(">5B", 8, 2, 0, 0, 0)  # bits a channel, color type, compression, filter, interlace


def encode(image: np.ndarray) -> bytes:
    """The PNG file of an image, uint8 [H, W, 3]."""
    height, width, channels = image.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter: 0 is none
    rows[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">2I", width, height) + _8_BITS_RGB
    data = zlib.compress(rows.tobytes(), level=0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def decode(file: bytes) -> np.ndarray:
    """The pixels of a PNG file, uint8 [H, W, 3]."""
    return np.asarray(PIL.Image.open(io.BytesIO(file)).convert("RGB"))
