"""Image files as people have them: odd ones that are used, and damaged or foreign ones that are not."""

import io
import struct
import zlib
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageCms

from pipeline.datasets.images import ANIMATION, CMYK, DEPTH, GREY, ORIENTATION, PALETTE, TRANSPARENCY

HEIGHT, WIDTH = 8, 12
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
RED_GREEN_BLUE = np.stack([ROWS * 30, COLUMNS * 20, 255 - ROWS * 15 - COLUMNS * 10], axis=2)
LUMINANCE = COLUMNS * 20
RAMP = ROWS * WIDTH + COLUMNS  # every value once
IS_INK = (ROWS + COLUMNS) % 3 > 0  # of images of one bit
INDICES = (ROWS + COLUMNS) % 4
COLORS = np.array([[250, 10, 20], [0, 0, 0], [30, 200, 40], [255, 255, 255]], np.uint8)
ALPHA = np.where(COLUMNS < 6, 0, 255).astype(np.uint8)
RGBA = np.dstack([RED_GREEN_BLUE, ALPHA])
DEEP, DEEP_RGBA = (image.astype(np.uint16) << 8 | 201 for image in (LUMINANCE, RGBA))  # 16 bits
SHARE = np.array([[[0, 10, 200, 128]]], np.uint8)  # one pixel that half covers the white
FINE = {"quality": 98, "subsampling": 0}
ANIMATED = {"save_all": True, "append_images": [PIL.Image.fromarray(255 - RED_GREEN_BLUE)]}
SCAN = b"\xff\xda"  # begins a scan of a JPEG file
BOMB = 65_000  # pixels each way


class Used(NamedTuple):
    """A file that is used: its pixels, its conversions, and how far a lossy format may be off."""

    file: bytes
    pixels: np.ndarray
    conversions: tuple[str, ...] = ()
    tolerance: int = 0


class Refused(NamedTuple):
    """A file that is not used, and a part of the reason."""

    file: bytes
    reason: str


def saved(image, name, **options):
    """A file as Pillow writes it, of pixels or of an image of Pillow's."""
    image = image if isinstance(image, PIL.Image.Image) else PIL.Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def exif(orientation):
    """EXIF data that say only how an image is to be turned."""
    data = PIL.Image.Exif()
    data[0x0112] = orientation
    return data


def grey(pixels):
    return np.dstack([pixels] * 3)


def over_white(pixels, is_opaque):
    return np.where(is_opaque[:, :, None], pixels, 255).astype(np.uint8)


def paletted():
    image = PIL.Image.fromarray(INDICES)
    image.putpalette(COLORS.tobytes())
    return image


def flipped(file, place):
    """The file with one bit changed in the byte at a place."""
    data = bytearray(file)
    data[place] ^= 4
    return bytes(data)


def with_segment(jpeg, marker, data):
    """A JPEG file with a segment at its beginning."""
    return jpeg[:2] + struct.pack(">2sH", marker, len(data) + 2) + data + jpeg[2:]


def with_scans(jpeg, count):
    """A progressive JPEG file whose last scan comes this many times more."""
    start, end = jpeg.rindex(SCAN), len(jpeg) - 2
    return jpeg[:end] + count * jpeg[start:end] + jpeg[end:]


def chunk(name, data):
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(rows, *, depth=8, color=2, size=(WIDTH, HEIGHT), chunks=b"", after=b""):
    """A PNG file: uint8 or uint16 [H, ...] of a bit depth and color type, and chunks before and after the pixels."""
    data = zlib.compress(b"".join(b"\0" + row.astype(f">u{row.itemsize}").tobytes() for row in rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunks + chunk(b"IDAT", data) + after + chunk(b"IEND", b"")


def with_metadata(name, mib, count=1):
    """A PNG file with chunks that each hold this much compressed text, or a color profile."""
    return png(RED_GREEN_BLUE, chunks=count * chunk(name, b"a\0\0" + zlib.compress(bytes(mib << 20), 1)))


def interlaced_png():
    """A PNG file in the seven passes of Adam7."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = [row for y, x, down, right in passes for row in RED_GREEN_BLUE[y::down, x::right] if row.size]
    file = bytearray(png(rows))
    file[28] = 1  # interlaced
    file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))
    return bytes(file)


def bmp(pixels, size=(WIDTH, HEIGHT), *, bits=24, compression=0, colors=b"", masks=b""):
    """A BMP file; the rows of `pixels` come from the bottom unless the height is negative."""
    start = 54 + len(masks + colors)
    sizes = 40 + len(masks), *size, 1, bits, compression, len(pixels), 0, 0, len(colors) // 4, 0
    header = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + struct.pack("<IiiHHIIiiII", *sizes)
    return header + masks + colors + pixels


JPEG = saved(RED_GREEN_BLUE, "JPEG", **FINE)
PROGRESSIVE = saved(RED_GREEN_BLUE, "JPEG", **FINE, progressive=True)
PNG = saved(RED_GREEN_BLUE, "PNG")
GIF = saved(paletted(), "GIF")
BMP = saved(RED_GREEN_BLUE, "BMP")
WEBP = saved(RED_GREEN_BLUE, "WEBP", lossless=True)
PPM = saved(RED_GREEN_BLUE, "PPM")
PALETTE_PIXELS = COLORS[INDICES]
LAB_PROFILE = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("LAB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
CMYK_PIXELS = np.dstack([255 - RED_GREEN_BLUE, np.zeros_like(LUMINANCE)])
RLE8 = b"".join(b"\0\x0c" + row.tobytes() for row in INDICES[::-1]) + b"\0\1"  # 12 literal bytes a row, and the end
RGBA_MASKS = struct.pack("<4I", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)
BMP_COLORS = np.dstack([COLORS[None, :, ::-1], np.zeros((1, 4, 1), np.uint8)]).tobytes()

USED = {
    "JPEG": Used(JPEG, RED_GREEN_BLUE, (), 3),
    "progressive JPEG": Used(PROGRESSIVE, RED_GREEN_BLUE, (), 3),
    "JPEG with scans in its metadata and a video": Used(
        with_segment(PROGRESSIVE, b"\xff\xe1", SCAN * 200) + SCAN * 200, RED_GREEN_BLUE, (), 3
    ),
    "grey JPEG": Used(saved(LUMINANCE, "JPEG", quality=98), grey(LUMINANCE), (GREY,), 3),
    "CMYK JPEG": Used(saved(PIL.Image.fromarray(CMYK_PIXELS, "CMYK"), "JPEG", **FINE), RED_GREEN_BLUE, (CMYK,), 3),
    "JPEG with a color profile": Used(
        saved(RED_GREEN_BLUE, "JPEG", **FINE, icc_profile=LAB_PROFILE), RED_GREEN_BLUE, (), 3
    ),
    "JPEG with a comment of 60 kB": Used(with_segment(JPEG, b"\xff\xfe", b"x" * 60_000), RED_GREEN_BLUE, (), 3),
    "JPEG with damaged EXIF": Used(
        with_segment(JPEG, b"\xff\xe1", b"Exif\0\0MM\0*\0\0\0\x08\0\x09no"), RED_GREEN_BLUE, (), 3
    ),
    "JPEG with an unknown orientation": Used(
        saved(RED_GREEN_BLUE, "JPEG", **FINE, exif=exif(77)), RED_GREEN_BLUE, (), 3
    ),
    "JPEG and other data": Used(JPEG + b"\0" * 100 + PNG, RED_GREEN_BLUE, (), 3),
    "JPEG of two pictures": Used(saved(RED_GREEN_BLUE, "MPO", **FINE, **ANIMATED), RED_GREEN_BLUE, (), 3),
    "PNG": Used(PNG, RED_GREEN_BLUE),
    "PNG of one pixel": Used(png(SHARE[:, :, :3], size=(1, 1)), SHARE[:, :, :3]),
    "interlaced PNG": Used(interlaced_png(), RED_GREEN_BLUE),
    "PNG of 1 bit": Used(saved(IS_INK, "PNG"), grey(np.where(IS_INK, 255, 0)), (GREY,)),
    "grey PNG": Used(saved(LUMINANCE, "PNG"), grey(LUMINANCE), (GREY,)),
    "grey PNG with alpha": Used(
        png(np.dstack([LUMINANCE, ALPHA]), color=4), over_white(grey(LUMINANCE), ALPHA > 0), (GREY, TRANSPARENCY)
    ),
    "grey PNG with a transparent value": Used(
        png(LUMINANCE, color=0, chunks=chunk(b"tRNS", b"\0\x14")),
        over_white(grey(LUMINANCE), COLUMNS != 1),
        (GREY, TRANSPARENCY),
    ),
    "PNG with a palette": Used(saved(paletted(), "PNG"), PALETTE_PIXELS, (PALETTE,)),
    "PNG with a transparent index": Used(
        saved(paletted(), "PNG", transparency=2), over_white(PALETTE_PIXELS, INDICES != 2), (PALETTE, TRANSPARENCY)
    ),
    "PNG with an index beyond its palette": Used(
        png(np.where(INDICES == 3, 9, INDICES), color=3, chunks=chunk(b"PLTE", COLORS[:3].tobytes())),
        np.where((INDICES == 3)[:, :, None], 0, PALETTE_PIXELS),
        (PALETTE,),
    ),
    "PNG with alpha": Used(saved(RGBA, "PNG"), over_white(RED_GREEN_BLUE, ALPHA > 0), (TRANSPARENCY,)),
    "PNG with half transparent alpha": Used(
        saved(SHARE, "PNG"), np.array([[[127, 132, 227]]], np.uint8), (TRANSPARENCY,)
    ),
    "PNG with opaque alpha": Used(saved(np.dstack([RED_GREEN_BLUE, np.full_like(ALPHA, 255)]), "PNG"), RED_GREEN_BLUE),
    "PNG with a transparent color": Used(
        png(RED_GREEN_BLUE, chunks=chunk(b"tRNS", struct.pack(">3H", *RED_GREEN_BLUE[2, 3]))),
        over_white(RED_GREEN_BLUE, (ROWS != 2) | (COLUMNS != 3)),
        (TRANSPARENCY,),
    ),
    "grey PNG of 16 bits": Used(png(DEEP, depth=16, color=0), grey(LUMINANCE), (DEPTH, GREY)),
    "grey PNG of 16 bits with alpha": Used(
        png(np.dstack([DEEP, ALPHA * np.uint16(257)]), depth=16, color=4),
        over_white(grey(LUMINANCE), ALPHA > 0),
        (DEPTH, TRANSPARENCY),
    ),
    "grey PNG of 16 bits with a transparent value": Used(
        png(DEEP, depth=16, color=0, chunks=chunk(b"tRNS", b"\x14\xc9")), grey(LUMINANCE), (DEPTH, GREY)
    ),
    "PNG of 16 bits": Used(png(DEEP_RGBA[:, :, :3], depth=16), RED_GREEN_BLUE, (DEPTH,)),
    "PNG of 16 bits with a transparent color": Used(
        png(DEEP_RGBA[:, :, :3], depth=16, chunks=chunk(b"tRNS", struct.pack(">3H", *RED_GREEN_BLUE[2, 3]))),
        RED_GREEN_BLUE,
        (DEPTH,),
    ),
    "PNG of 16 bits with alpha": Used(
        png(np.dstack([DEEP_RGBA[:, :, :3], ALPHA * np.uint16(257)]), depth=16, color=6),
        over_white(RED_GREEN_BLUE, ALPHA > 0),
        (DEPTH, TRANSPARENCY),
    ),
    "animated PNG": Used(saved(RED_GREEN_BLUE, "PNG", **ANIMATED), RED_GREEN_BLUE, (ANIMATION,)),
    "PNG turned by EXIF": Used(
        saved(RED_GREEN_BLUE, "PNG", exif=exif(6)), np.rot90(RED_GREEN_BLUE, -1), (ORIENTATION,)
    ),
    "PNG turned by XMP": Used(
        png(RED_GREEN_BLUE, after=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
        np.rot90(RED_GREEN_BLUE, 2),
        (ORIENTATION,),
    ),
    "PNG with a text called transparency": Used(
        png(RED_GREEN_BLUE, chunks=chunk(b"tEXt", b"transparency\0none")), RED_GREEN_BLUE
    ),
    "PNG with a text called exif": Used(png(RED_GREEN_BLUE, chunks=chunk(b"tEXt", b"exif\0none")), RED_GREEN_BLUE),
    "PNG with a text of 2 MiB": Used(with_metadata(b"zTXt", 2), RED_GREEN_BLUE),
    "PNG with a color profile of 2 MiB": Used(with_metadata(b"iCCP", 2), RED_GREEN_BLUE),
    "PNG and other data": Used(PNG + b"\0" * 100, RED_GREEN_BLUE),
    "GIF": Used(GIF, PALETTE_PIXELS, (PALETTE,)),
    "grey GIF": Used(saved(RAMP, "GIF", optimize=False), grey(RAMP), (GREY,)),
    "GIF with a transparent index": Used(
        saved(paletted(), "GIF", transparency=2), over_white(PALETTE_PIXELS, INDICES != 2), (PALETTE, TRANSPARENCY)
    ),
    "animated GIF": Used(
        saved(paletted(), "GIF", save_all=True, append_images=[paletted().rotate(180)]),
        PALETTE_PIXELS,
        (ANIMATION, PALETTE),
    ),
    "GIF without its last byte": Used(GIF[:-1], PALETTE_PIXELS, (PALETTE,)),
    "BMP": Used(BMP, RED_GREEN_BLUE),
    "BMP from the top": Used(bmp(RED_GREEN_BLUE[:, :, ::-1].tobytes(), (WIDTH, -HEIGHT)), RED_GREEN_BLUE),
    "BMP with a palette": Used(saved(paletted(), "BMP"), PALETTE_PIXELS, (PALETTE,)),
    "BMP by run lengths": Used(bmp(RLE8, bits=8, compression=1, colors=BMP_COLORS), PALETTE_PIXELS, (PALETTE,)),
    "BMP of 1 bit": Used(saved(IS_INK, "BMP"), grey(np.where(IS_INK, 255, 0)), (GREY,)),
    "BMP of 32 bits": Used(bmp(np.dstack([RED_GREEN_BLUE[::-1, :, ::-1], ALPHA]).tobytes(), bits=32), RED_GREEN_BLUE),
    "BMP with alpha": Used(
        bmp(RGBA[::-1].tobytes(), bits=32, compression=3, masks=RGBA_MASKS),
        over_white(RED_GREEN_BLUE, ALPHA > 0),
        (TRANSPARENCY,),
    ),
    "WebP": Used(WEBP, RED_GREEN_BLUE),
    "lossy WebP": Used(saved(RED_GREEN_BLUE, "WEBP", quality=100), RED_GREEN_BLUE, (), 30),
    "WebP with alpha": Used(saved(RGBA, "WEBP", lossless=True), over_white(RED_GREEN_BLUE, ALPHA > 0), (TRANSPARENCY,)),
    "animated WebP": Used(saved(RED_GREEN_BLUE, "WEBP", lossless=True, **ANIMATED), RED_GREEN_BLUE, (ANIMATION,)),
    "WebP turned by EXIF": Used(
        saved(RED_GREEN_BLUE, "WEBP", lossless=True, exif=exif(8)), np.rot90(RED_GREEN_BLUE), (ORIENTATION,)
    ),
    "PPM": Used(PPM, RED_GREEN_BLUE),
    "PPM of text": Used(
        f"P3\n# a comment\n{WIDTH} {HEIGHT} 255\n{' '.join(map(str, RED_GREEN_BLUE.ravel()))}".encode(), RED_GREEN_BLUE
    ),
    "PPM of 16 bits": Used(
        b"P6\n%d %d\n65535\n" % (WIDTH, HEIGHT) + (RED_GREEN_BLUE.astype(">u2") * 257).tobytes(),
        RED_GREEN_BLUE,
        (DEPTH,),
    ),
    "PPM of 100 levels": Used(
        b"P6\n%d %d\n100\n" % (WIDTH, HEIGHT) + (RED_GREEN_BLUE // 3).tobytes(),
        np.rint(RED_GREEN_BLUE // 3 * 2.55),
        tolerance=1,
    ),
    "PGM of 1,001 levels": Used(
        b"P5\n%d %d\n1000\n" % (WIDTH, HEIGHT) + (LUMINANCE.astype(int) * 3).astype(">u2").tobytes(),
        grey(np.rint(LUMINANCE * 0.765)),
        (DEPTH, GREY),
        tolerance=1,
    ),
    "PGM": Used(saved(LUMINANCE, "PPM"), grey(LUMINANCE), (GREY,)),
    "PGM of 16 bits": Used(saved(DEEP, "PPM"), grey(LUMINANCE), (DEPTH, GREY)),
    "PBM": Used(saved(IS_INK, "PPM"), grey(np.where(IS_INK, 255, 0)), (GREY,)),
}

REFUSED = {
    "empty": Refused(b"", "empty"),
    "zeros": Refused(bytes(3_000), "zeros"),
    "noise": Refused(b"\x17\x98" * 3_000, "not an image"),
    "text": Refused(b"This is the dog of my neighbours.\n", "not an image"),
    "web page": Refused(b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "message of a store": Refused(b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "web page"),
    "message of a server": Refused(b'{"error": "not found"}', "message of a server"),
    "pointer of Git LFS": Refused(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"
    ),
    "archive": Refused(b"Rar!\x1a\x07\0" + bytes(99), "RAR"),
    "SVG": Refused(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "SVG with a header": Refused(b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg/>', "SVG"),
    "HEIC": Refused(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    "AVIF": Refused(b"\0\0\0\x18ftypavif\0\0\0\0avifmif1", "AVIF"),
    "video": Refused(b"\0\0\0\x18ftypmp42\0\0\0\0mp41mp42", "video"),
    "TIFF": Refused(saved(RED_GREEN_BLUE, "TIFF"), "TIFF"),
    "TIFF of floats": Refused(saved(LUMINANCE.astype(np.float32), "TIFF"), "TIFF"),
    "JPEG 2000": Refused(saved(RED_GREEN_BLUE, "JPEG2000"), "JPEG 2000"),
    "JPEG XL": Refused(b"\xff\x0a\xfa\x1f\0\x91", "JPEG XL"),
    "icon": Refused(saved(RED_GREEN_BLUE, "ICO"), "icon"),
    "PDF": Refused(saved(RED_GREEN_BLUE, "PDF"), "PDF"),
    "Photoshop": Refused(b"8BPS\0\1" + bytes(99), "Photoshop"),
    "NumPy": Refused(b"\x93NUMPY\1\0" + bytes(99), "NumPy"),
    "JPEG of its first bytes": Refused(JPEG[:4], "JPEG"),
    "JPEG cut in its header": Refused(JPEG[:200], "JPEG"),
    "JPEG cut in its pixels": Refused(JPEG[:-30], "JPEG"),
    "JPEG of 12 bits": Refused(JPEG.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "JPEG"),
    "JPEG without height": Refused(
        JPEG.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", 0, WIDTH)), "JPEG"
    ),
    "JPEG bomb": Refused(JPEG.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", BOMB, BOMB)), "pixels"),
    "JPEG of 101 scans": Refused(with_scans(PROGRESSIVE, 101 - PROGRESSIVE.count(SCAN)), "scans"),
    "PNG of its signature": Refused(PNG[:8], "PNG"),
    "PNG cut in its pixels": Refused(PNG[:-30], "PNG"),
    "PNG without its end": Refused(PNG[:-12], "PNG"),
    "PNG with a flipped bit in its header": Refused(flipped(PNG, 19), "PNG"),
    "PNG with a flipped bit in its pixels": Refused(
        flipped(saved(RED_GREEN_BLUE, "PNG", compress_level=0), -100), "checksum"
    ),
    "PNG without pixels": Refused(PNG[:33] + chunk(b"IEND", b""), "PNG"),
    "PNG without columns": Refused(png(RED_GREEN_BLUE, size=(0, HEIGHT)), "PNG"),
    "PNG of an unknown color type": Refused(png(RED_GREEN_BLUE, color=5), "PNG"),
    "PNG with a text of 17 MiB": Refused(with_metadata(b"zTXt", 17), "metadata of more than 16 MiB"),
    "PNG with a color profile of 17 MiB": Refused(with_metadata(b"iCCP", 17), "metadata of more than 16 MiB"),
    "PNG with texts of 80 MiB": Refused(with_metadata(b"zTXt", 16, 5), "metadata of more than"),
    "PNG bomb": Refused(png(RED_GREEN_BLUE, size=(BOMB, BOMB)), "pixels"),
    "PNG of a few pixels too many": Refused(png(RED_GREEN_BLUE, size=(8193, 8192)), "pixels"),
    "GIF of its header": Refused(GIF[:13], "GIF"),
    "GIF cut in its pixels": Refused(GIF[:-20], "GIF"),
    "GIF without an image": Refused(GIF[:13] + b";", "GIF"),
    "GIF without columns": Refused(
        GIF.replace(struct.pack("<HH", WIDTH, HEIGHT), struct.pack("<HH", 0, HEIGHT)), "GIF"
    ),
    "GIF bomb": Refused(GIF.replace(struct.pack("<HH", WIDTH, HEIGHT), struct.pack("<HH", BOMB, BOMB)), "pixels"),
    "BMP of its first bytes": Refused(BMP[:20], "BMP"),
    "BMP cut in its pixels": Refused(BMP[:-20], "BMP"),
    "BMP without columns": Refused(bmp(b"", (0, HEIGHT)), "BMP"),
    "BMP of 64 bits": Refused(bmp(bytes(9_000), bits=64), "BMP"),
    "BMP bomb": Refused(bmp(b"", (BOMB, BOMB)), "pixels"),
    "WebP of its header": Refused(WEBP[:20], "WEBP"),
    "WebP cut in its pixels": Refused(WEBP[:-20], "WEBP"),
    "WebP bomb": Refused(b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + b"\xff\xff\xff\x0f" + bytes(9), "pixels"),
    "PPM cut in its pixels": Refused(PPM[:-20], "PPM"),
    "PPM of 16 bits cut in its pixels": Refused(b"P6\n9 9 65535\n" + bytes(99), "PPM"),
    "PPM of much text": Refused(b"P3\n9000 7000 255\n0 0 0", "as text"),
    "PPM without numbers": Refused(b"P6\nwide high 255\n" + bytes(99), "PPM"),
    "PPM bomb": Refused(b"P6\n%d %d 255\n" % (BOMB, BOMB), "pixels"),
}
