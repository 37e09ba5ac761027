"""Files are loaded to the pixels of the decoder of all; plain PNG files are decoded together."""

import concurrent.futures
import io
import threading
import types
import zlib

import numpy as np
import PIL.Image
import pytest

from models.prediction import loading
from pipeline.datasets import images, resizing


def png(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def predictor(image_size: int, input_size: int, prepare=None) -> types.SimpleNamespace:
    def resized(pixels: np.ndarray) -> np.ndarray:
        return resizing.center_crop(resizing.resize(pixels, image_size), input_size)

    return types.SimpleNamespace(image_size=image_size, input_size=input_size, prepare=prepare or resized)


def load(folder, files: list[bytes], image_size: int, input_size: int) -> list[loading.Loaded]:
    """What is loaded of files, after they are written to a folder."""
    paths = [folder / str(number) for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file)
    return loading.load(predictor(image_size, input_size), [str(path) for path in paths])


def by_pillow(file: bytes, image_size: int, input_size: int) -> loading.Loaded:
    """What is loaded of a file without TensorFlow."""
    try:
        return predictor(image_size, input_size).prepare(images.decode(file).pixels)
    except images.ImageError as error:
        return str(error)


def assert_as_by_pillow(loaded: list[loading.Loaded], files: list[bytes], image_size: int, input_size: int) -> None:
    for found, file in zip(loaded, files, strict=True):
        np.testing.assert_array_equal(found, by_pillow(file, image_size, input_size), strict=True)


@pytest.fixture
def of_tensorflow(monkeypatch) -> list[int]:
    """The numbers of files that calls have decoded together."""
    decode, counts = loading._decode_plain, []

    def counted(files, size):
        counts.append(len(files))
        return decode(files, size)

    monkeypatch.setattr(loading, "_decode_plain", counted)
    return counts


@pytest.mark.parametrize("input_size", [40, 25])
def test_plain_and_other_files_have_the_pixels_of_pillow(noise, input_size, of_tensorflow, tmp_path):
    square = noise[:40]
    gradient = np.cumsum(square // 8, axis=0, dtype=np.uint8)  # of all filters
    options = [{}, {"optimize": True}, {"compress_level": 0}, {"compress_level": 9}]
    files = [png(pixels, **one) for pixels in (square, gradient) for one in options]
    files[3:3] = [png(noise), png(square[..., 0]), b"", png(np.dstack([square, square[..., :1]]))]
    assert_as_by_pillow(load(tmp_path, files, 40, input_size), files, 40, input_size)
    assert of_tensorflow == [8]


def test_every_damaged_byte_is_noticed(noise, of_tensorflow, tmp_path):
    whole = png(noise[:8, :8])
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        files = [whole, bytes(damaged)]
        loaded = load(tmp_path, files, 8, 8)
        assert_as_by_pillow(loaded, files, 8, 8)
        assert isinstance(loaded[1], str) or place >= len(whole) - 12  # Pillow does not need the last part
    assert max(of_tensorflow) == 2  # the damage is in the pixels


def test_pixels_that_end_too_early_are_noticed(of_tensorflow, tmp_path):
    whole = png(np.zeros((8, 8, 3), np.uint8))
    short = zlib.compress(zlib.decompress(whole[41:-16])[:-1])
    part = b"IDAT" + short
    file = whole[:33] + len(short).to_bytes(4) + part + zlib.crc32(part).to_bytes(4) + whole[-12:]
    (reason,) = load(tmp_path, [file], 8, 8)
    assert of_tensorflow == [1]
    assert "damaged PNG" in reason


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

    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        alone = list(executor.map(lambda _: loading.load(predictor(8, 8, is_alone), [str(path)]), range(2)))
    assert alone == [[is_large]] * 2


@pytest.mark.parametrize("is_large", [False, True])
def test_large_files_are_read_one_at_a_time(is_large, monkeypatch, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    monkeypatch.setattr(loading, "LARGE_BYTES", 8 - is_large)
    both, alone = threading.Barrier(2), []

    def content(_path: str, _size: int) -> bytes:
        try:
            both.wait(0.2 if is_large else 60)
        except threading.BrokenBarrierError:
            both.reset()
            alone.append(True)
        return b""

    monkeypatch.setattr(images, "content", content)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        reasons = list(executor.map(lambda _: loading.load(predictor(8, 8), [str(path)]), range(2)))
    assert reasons == [["is empty"]] * 2
    assert len(alone) == 2 * is_large


def test_pixels_are_those_of_the_header(noise):
    assert images.num_pixels(png(noise)) == noise[..., 0].size
    assert images.num_pixels(b"no image") == images.num_pixels(png(noise)[:20]) == 0
