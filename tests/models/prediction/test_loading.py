"""PNG files as data sets have them are decoded on a short way, to the same pixels."""

import concurrent.futures
import io
import threading
import types
import zlib

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest

from models.prediction import loading
from models.prediction.loading import decode_plain_png
from pipeline.datasets import images


def png(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


@pytest.fixture
def square(noise) -> np.ndarray:
    return noise[:40]


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"compress_level": 0}, {"compress_level": 9}])
def test_plain_files_have_the_same_pixels(square, options):
    gradient = np.cumsum(square // 8, axis=0, dtype=np.uint8)  # of all filters
    for pixels in (square, gradient):
        file = png(pixels, **options)
        np.testing.assert_array_equal(decode_plain_png(file, 40), pixels)
        np.testing.assert_array_equal(images.decode(file).pixels, pixels)


def test_other_files_are_left_to_the_decoder_of_all(square, noise):
    text = PIL.PngImagePlugin.PngInfo()
    text.add_text("a", "b")
    palette = PIL.Image.fromarray(square).quantize(8)
    file = io.BytesIO()
    palette.save(file, "PNG")
    others = [
        *(png(noise), png(square[..., 0]), png(np.dstack([square, square[..., :1]])), file.getvalue()),
        *(png(square, pnginfo=text), png(square, transparency=(1, 2, 3)), b"", b"\x89PNG\r\n\x1a\n"),
    ]
    assert [decode_plain_png(other, 40) for other in others] == [None] * len(others)
    assert decode_plain_png(png(square), 32) is None


def test_every_damaged_byte_is_noticed(square):
    file = png(square[:8, :8])
    assert decode_plain_png(file, 8) is not None
    for place in range(len(file)):
        damaged = bytearray(file)
        damaged[place] ^= 1
        assert decode_plain_png(bytes(damaged), 8) is None
        assert decode_plain_png(file[:place], 8) is None


def test_pixels_that_end_too_early_are_noticed():
    whole = png(np.zeros((8, 8, 3), np.uint8))
    short = zlib.compress(zlib.decompress(whole[41:-16])[:-1])
    part = b"IDAT" + short
    file = whole[:33] + len(short).to_bytes(4) + part + zlib.crc32(part).to_bytes(4) + whole[-12:]
    assert decode_plain_png(file, 8) is None


@pytest.mark.parametrize("is_large", [False, True])
def test_large_images_are_decoded_one_at_a_time(noise, is_large, monkeypatch, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(noise))
    monkeypatch.setattr(loading, "LARGE", noise[..., 0].size - is_large)
    both = threading.Barrier(2)

    def is_alone(pixels: np.ndarray) -> bool:
        try:
            both.wait(0.2 if is_large else 60)
        except threading.BrokenBarrierError:
            both.reset()
            return True
        return False

    predictor = types.SimpleNamespace(takes_whole_images=False, prepare=is_alone)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        alone = list(executor.map(lambda _: loading.load(predictor, str(path)), range(2)))
    assert alone == [is_large] * 2


@pytest.mark.parametrize("is_large", [False, True])
def test_large_files_are_read_one_at_a_time(is_large, monkeypatch, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    monkeypatch.setattr(loading, "LARGE_BYTES", 8 - is_large)
    both, alone = threading.Barrier(2), []

    def read(_: str) -> bytes:
        try:
            both.wait(0.2 if is_large else 60)
        except threading.BrokenBarrierError:
            both.reset()
            alone.append(True)
        return b""

    monkeypatch.setattr(images, "read", read)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        reasons = list(
            executor.map(
                lambda _: loading.load(types.SimpleNamespace(takes_whole_images=False, prepare=None), str(path)),
                range(2),
            )
        )
    assert reasons == ["is empty"] * 2
    assert len(alone) == 2 * is_large


def test_pixels_are_those_of_the_header(noise):
    assert images.num_pixels(png(noise)) == noise[..., 0].size
    assert images.num_pixels(b"no image") == images.num_pixels(png(noise)[:20]) == 0
