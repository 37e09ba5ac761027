"""Images as prepared data sets keep them."""

import io
import zlib

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tensorflow as tf

from pipeline.datasets import png


def test_every_pixel_comes_back_and_nothing_is_compressed():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    flat = np.full((32, 32, 3), 7, np.uint8)
    for pixels in (image, flat):
        encoded = png.encode(pixels)
        assert np.array_equal(tf.io.decode_png(encoded), pixels)
        assert len(encoded) > pixels.nbytes


IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def by_pillow(image: PIL.Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize("level", [0, 1, 9])
def test_file_of_pixels_alone_is_plain(level):
    for file in (png.encode(IMAGE), by_pillow(PIL.Image.fromarray(IMAGE), compress_level=level)):
        assert png.is_plain(file, 8, 8)
        assert not png.is_plain(file, 8, 9)
        assert not png.is_plain(file + b"0", 8, 8)


def test_other_files_are_not_plain():
    image, text = PIL.Image.fromarray(IMAGE), PIL.PngImagePlugin.PngInfo()
    text.add_text("a", "b")
    others = [by_pillow(image.convert(mode)) for mode in ("L", "LA", "RGBA", "P", "1")]
    others += [by_pillow(image, pnginfo=text), by_pillow(image, transparency=(1, 2, 3)), b"", png.encode(IMAGE)[:40]]
    others.append(png._head(8, 8) + png._END)
    others.append(png._file(8, 8, zlib.compress(bytes(1000), 0)))  # more than pixels
    assert [png.is_plain(other, 8, 8) for other in others] == [False] * len(others)
