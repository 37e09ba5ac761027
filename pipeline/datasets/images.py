"""Decodes image files into uint8 [H, W, 3].

The format is detected by the first bytes, whatever the name of the file. Callers count and report the conversions:

- Grey and palette images become RGB, and CMYK does by Pillow's formula.
- Of 16 bits a channel the upper 8 are kept; values of PPM files are scaled to 0 to 255.
- Transparent pixels are blended onto white.
- The EXIF orientation is applied.
- The first frame of an animation is read.

Embedded colour profiles are ignored, as Keras, torchvision and timm do. TIFF is not read: libtiff writes to stderr, and
allocates what a file declares.
"""

import contextlib
import dataclasses
import io
import itertools
import os
import re
import stat
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFile
import PIL.PngImagePlugin

from pipeline.common import files, paths
from pipeline.datasets.containers import members

MAX_PIXELS = 1 << 26  # 8,192 x 8,192; decoding takes up to 22 bytes of memory a pixel
MAX_TEXT_PIXELS = 1 << 22  # of a PPM file of text, which is read in 10 seconds
MAX_FILE_BYTES = 1 << 29  # no format needs more for that many pixels
MAX_METADATA_BYTES = 1 << 24  # of a text or color profile of a PNG file, unpacked; of all texts, four times as many
MAX_SCANS = 100  # of a JPEG file; encoders write about 10, and each takes 0.2 seconds for MAX_PIXELS
PIL.PngImagePlugin.MAX_TEXT_CHUNK = MAX_METADATA_BYTES  # of which Pillow reads no more than 1 MiB
PIL.PngImagePlugin.MAX_TEXT_MEMORY = 4 * MAX_METADATA_BYTES
GREY, PALETTE, CMYK = "grey to RGB", "palette to RGB", "CMYK to RGB"
DEPTH, TRANSPARENCY = "16 to 8 bits a channel", "transparency over white"
ORIENTATION, ANIMATION = "turned by EXIF orientation", "first frame of an animation"
_SCAN = b"\xff\xda"  # the marker that begins a scan of a JPEG file
_SEGMENT = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")  # the marker of a segment with a length, or of the image's end
HEAD_BYTES = 1 << 12
_READ_BYTES = 1 << 18
_FORMATS = (  # Pillow's name of a format, by the first bytes of its files
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"GIF8[79]a", "GIF"),
    (rb"BM", "BMP"),
    (rb"P[1-6]\s", "PPM"),
)
_OTHER_FORMATS = (
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "TIFF or a camera's raw file"),
    (rb"....ftyp(hei|hev|mif1|msf1)", "HEIC"),
    (rb"....ftypavi[fs]", "AVIF"),
    (rb"....ftyp", "a video"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL"),
    (rb"(\xef\xbb\xbf)?\s*<.*<?svg", "SVG"),
    (rb"8BPS", "a Photoshop file"),
    (rb"\0\0\x01\0", "an icon"),
    (rb"%PDF", "PDF"),
    (rb"\x93NUMPY", "a NumPy array"),
)
_MODE_CONVERSIONS = {"1": GREY, "L": GREY, "LA": GREY, "P": PALETTE, "PA": PALETTE, "CMYK": CMYK}
_ORIENTATION_TAG = 0x0112
_TRANSPOSES = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


class ImageError(ValueError):
    """Why a file is not used: a predicate such as `is empty`, in one line."""


@dataclasses.dataclass(frozen=True, eq=False)
class Decoded:
    """An image, uint8 [H, W, 3], and what was converted for it, in the words of this module's constants."""

    pixels: np.ndarray
    conversions: tuple[str, ...]


def read(path: paths.AnyPath) -> bytes:
    """The content of an image file.

    Raises:
      ImageError: it is missing, too large, or no file.
      OSError: the disk or the file server fails.
    """
    try:
        return content(path, num_bytes(path))
    except OSError as error:
        if error.errno not in files.WRONG_PLACE:
            raise
        raise ImageError(f"cannot be read ({error.strerror})") from error


def num_bytes(path: paths.AnyPath) -> int:
    """The size of an image file; ImageError where it is too large or no file, any OSError where it cannot be seen."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # a pipe would wait for its writer
        raise ImageError("is not a file")
    if status.st_size > MAX_FILE_BYTES:
        raise ImageError(f"has {status.st_size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
    return status.st_size


def content(path: paths.AnyPath, size: int) -> bytes:
    """The content of a file of `size` bytes, by as few system calls as there can be: each lets other threads go on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = [os.read(descriptor, size + 1)]
        if len(parts[0]) != size:  # it has changed, or the system does not know its size
            parts += iter(lambda: os.read(descriptor, _READ_BYTES), b"")
        return b"".join(parts)
    finally:
        os.close(descriptor)


def decode(file: bytes) -> Decoded:
    """The image of a file's content; ImageError where there is none."""
    name = format_name(file)
    if name is None:
        raise ImageError(_problem(file))
    with _decoding(name):
        if name == "JPEG" and file.count(_SCAN) > MAX_SCANS and _has_many_scans(file):
            raise ImageError(f"has more than {MAX_SCANS} scans; save it as a baseline JPEG or PNG")
        if name == "PNG":
            _open(file, name).verify()  # the checksums, which decoding passes over
        with _open(file, name) as image:
            return _decode(image, is_deep=name == "PNG" and file[24] == 16)


def num_pixels(file: bytes) -> int:
    """The pixels that the header of an image file declares; 0 where `decode` does not come to decode them."""
    name = format_name(file)
    with contextlib.suppress(ImageError):
        if name is not None:
            with _decoding(name), _open(file, name) as image:
                return image.width * image.height
    return 0


def format_name(head: bytes) -> str | None:
    """Pillow's name of the format that a file is of by its first bytes, at least 16; None for one that is not read."""
    return next((name for pattern, name in _FORMATS if _begins(head, pattern)), None)


def _problem(file: bytes) -> str:
    """Why a file of no known format is not used."""
    if not file.strip(b"\0"):
        return "holds nothing but zeros" if file else "is empty"
    head = file[:HEAD_BYTES]
    others = (f"is {name}; convert it to PNG or JPEG" for pattern, name in _OTHER_FORMATS if _begins(head, pattern))
    problems = (problem for pattern, problem in members.OTHER_FILES if _begins(head, pattern))
    return next(itertools.chain(others, problems), "is not an image")


def _begins(head: bytes, pattern: bytes) -> bool:
    return re.match(pattern, head, re.DOTALL) is not None


@contextlib.contextmanager
def _decoding(name: str) -> Iterator[None]:
    """A context in which Pillow gives no warnings, and whatever it raises becomes an ImageError."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of damaged metadata, most of them
            yield
    except (ImageError, MemoryError):
        raise
    except PIL.Image.DecompressionBombError as error:
        raise _too_large() from error
    except PIL.UnidentifiedImageError as error:
        raise ImageError(f"is a {name} file with a damaged header, or of a rare kind") from error
    except Exception as error:  # struct.error, zlib.error, IndexError, KeyError, ...: a damaged file raises any
        if "MAX_TEXT" in str(error):
            problem = f"has metadata of more than {MAX_METADATA_BYTES >> 20} MiB; save it without them"
            raise ImageError(problem) from error
        raise ImageError(f"is a damaged {name} file ({' '.join(str(error).split())})") from error


def _has_many_scans(file: bytes) -> bool:
    """Whether the image of a JPEG file has more than MAX_SCANS, by its segments (ITU-T T.81, B.1.1).

    The marker's bytes may also stand in metadata, and in a video behind the image, to which telephones append one.
    """
    count, place = 0, 0
    while (marker := _SEGMENT.search(file, place)) and marker[0] != b"\xff\xd9":
        count += marker[0] == _SCAN
        if count > MAX_SCANS:
            return True
        place = marker.end() + int.from_bytes(file[marker.end() : marker.end() + 2])
    return False


def _open(file: bytes, name: str) -> PIL.ImageFile.ImageFile:
    return PIL.Image.open(io.BytesIO(file), formats=[name])


def _too_large() -> ImageError:
    return ImageError(f"has more than {MAX_PIXELS:,} pixels")


def _decode(opened: PIL.ImageFile.ImageFile, *, is_deep: bool) -> Decoded:
    """The pixels of an opened file; `is_deep` is whether a channel has 16 bits in it, which Pillow may not say."""
    if opened.width * opened.height > MAX_PIXELS:
        raise _too_large()
    conversions = []
    # Not of JPEG, to which telephones append a depth map or a second picture.
    if opened.format in ("GIF", "PNG", "WEBP") and getattr(opened, "is_animated", False):
        conversions.append(ANIMATION)
    image: PIL.Image.Image = opened
    if opened.format == "PPM":
        image, is_deep = _loaded_ppm(opened)
    image.load()
    if is_deep or image.mode.startswith("I"):
        conversions.append(DEPTH)
    if is_deep or isinstance(image.info.get("transparency"), str):  # a color of 16 bits; a text of that name
        image.info.pop("transparency", None)
    transpose = _transpose(image)
    image, mode_conversions = _as_rgb(image)
    conversions += mode_conversions
    if transpose is not None:
        conversions.append(ORIENTATION)
        image = image.transpose(transpose)
    return Decoded(np.asarray(image), tuple(conversions))


def _loaded_ppm(image: PIL.ImageFile.ImageFile) -> tuple[PIL.Image.Image, bool]:
    """An opened PPM file, and whether its channels have more than 8 bits.

    Values that are not from 0 to 255 become so here: Pillow takes 4 seconds for a million pixels of them.
    """
    tile: Any = image.tile[0]  # Pillow does not say which types it has
    codec, _, offset, arguments = tile
    if codec == "ppm_plain" and image.width * image.height > MAX_TEXT_PIXELS:
        raise ImageError(f"has more than {MAX_TEXT_PIXELS:,} pixels as text; convert it to PNG")
    if codec != "ppm":
        return image, False
    _, maximum = arguments
    dtype = np.dtype(">u2" if maximum > np.iinfo(np.uint8).max else np.uint8)
    channels = len(image.getbands())
    count = image.height * image.width * channels
    assert image.fp is not None
    image.fp.seek(0)
    values = np.frombuffer(image.fp.read(), dtype, count, offset).reshape(image.height, image.width, channels)
    scaled = ((np.arange(1 << 8 * dtype.itemsize) * 255 + maximum // 2) // maximum).clip(max=255).astype(np.uint8)
    pixels = np.stack([scaled[row] for row in values])  # row by row: as an index, a value takes 8 bytes
    return PIL.Image.fromarray(pixels if channels > 1 else pixels[..., 0]), dtype.itemsize > 1


def _as_rgb(image: PIL.Image.Image) -> tuple[PIL.Image.Image, list[str]]:
    if image.mode.startswith("I"):  # in these formats 0 to 65,535
        image = PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    conversions = [_MODE_CONVERSIONS[image.mode]] if image.mode in _MODE_CONVERSIONS else []
    if image.has_transparency_data:
        rgba = _converted(image, "RGBA")
        if rgba.getchannel("A").getextrema() != (255, 255):
            conversions.append(TRANSPARENCY)
            white = PIL.Image.new("RGB", image.size, "white")
            white.paste(rgba, mask=rgba)
            return white, conversions
    return _converted(image, "RGB"), conversions


def _converted(image: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    return image if image.mode == mode else image.convert(mode)  # Pillow would copy it


def _transpose(image: PIL.Image.Image) -> PIL.Image.Transpose | None:
    try:
        return _TRANSPOSES.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # of damaged metadata, in as many classes as above
        return None
