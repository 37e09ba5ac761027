"""PNG without compression, the encoding of prepared images.

Decompression took longer than all other stages of the pipeline together. Rows are not filtered, which only helps
compression: Pillow tries every filter for each row, and takes 18 times as long.
"""

import functools
import io
import struct
import zlib

import numpy as np
import PIL.Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BEFORE_ROWS, _BEHIND_ROWS = 41, 16  # bytes: signature, header and head of the rows; their checksum and the end
_8_BITS_RGB = struct.pack(">5B", 8, 2, 0, 0, 0)  # bits a channel, color type, compression, filter, interlace


def encode(image: np.ndarray) -> bytes:
    """The PNG file of an image, uint8 [H, W, 3]."""
    height, width, channels = image.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter: 0 is none
    rows[:, 1:] = image.reshape(height, -1)
    return _file(width, height, zlib.compress(rows.tobytes(), level=0))


def is_plain(file: bytes, width: int, height: int) -> bool:
    """Whether a file is a PNG of this size, in RGB of 8 bits a channel, that has no part but one of pixels.

    It is no larger than without compression. Checksums are left to the decoder.
    """
    head, size = _head(width, height), len(file) - _BEFORE_ROWS - _BEHIND_ROWS
    is_framed = file.startswith(head) and file.endswith(_END) and 0 <= size <= 4 * height * (width + 1) + 11
    return is_framed and file[len(head) : _BEFORE_ROWS] == size.to_bytes(4) + b"IDAT"


def _file(width: int, height: int, rows: bytes) -> bytes:
    """A PNG file of compressed rows."""
    return _head(width, height) + _chunk(b"IDAT", rows) + _END


@functools.lru_cache(8)
def _head(width: int, height: int) -> bytes:
    return _SIGNATURE + _chunk(b"IHDR", struct.pack(">2I", width, height) + _8_BITS_RGB)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_END = _chunk(b"IEND", b"")


def decode(file: bytes) -> np.ndarray:
    """The pixels of a PNG file, uint8 [H, W, 3]."""
    return np.asarray(PIL.Image.open(io.BytesIO(file)).convert("RGB"))
