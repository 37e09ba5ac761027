"""Random changes of valid files."""

import pickle
import random
import struct

_BYTES = (0, 1, 10, 13, 26, 32, 39, 46, 47, 92, 127, 128, 255)
_SIZES = (0, 1, 255, 1 << 15, (1 << 16) - 1, 1 << 30, (1 << 31) - 1, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)
_MAGIC = (b"ustar", b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"\xfd7zXZ", b"}", b"{", b"[", b",", b":")
_OPCODES = [getattr(pickle, name) for name in dir(pickle) if name.isupper() and type(getattr(pickle, name)) is bytes]


def mutate(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """`data` after one to six random changes, most of them near its structure; `others` are files to splice with."""
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        data = draw.choice(_CHANGES)(draw, data, others)
    return data


def _place(draw: random.Random, data: bytes) -> int:
    """A position near the beginning, the end or a magic number, or anywhere."""
    kind = draw.random()
    if kind < 0.3:
        return draw.randrange(min(len(data), 600) + 1)
    if kind < 0.5:
        return len(data) - draw.randrange(min(len(data), 600) + 1)
    if kind < 0.8:
        start = data.find(draw.choice(_MAGIC), draw.randrange(len(data) + 1))
        if start >= 0:
            return max(0, min(len(data), start + draw.randrange(-300, 300)))
    return draw.randrange(len(data) + 1)


def _replace(draw: random.Random, data: bytes, new: bytes) -> bytes:
    start = _place(draw, data)
    return data[:start] + new + data[start + len(new) :]


def _flip(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    start = _place(draw, data)
    return data[:start] + bytes(byte ^ 1 << draw.randrange(8) for byte in data[start : start + 1]) + data[start + 1 :]


def _set_byte(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    return _replace(draw, data, bytes([draw.choice((draw.choice(_BYTES), draw.randrange(256)))]))


def _set_size(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    layout = draw.choice(("<H", "<I", "<Q", ">I", ">Q"))
    size = draw.choice(_SIZES) & (1 << 8 * struct.calcsize(layout)) - 1
    return _replace(draw, data, struct.pack(layout, size))


def _set_digits(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    return _replace(draw, data, draw.choice((b"77777777777", b"-1", b"1e999", b"NaN", b"00000000000", b"9" * 60)))


def _remove(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    start = _place(draw, data)
    return data[:start] + data[start + draw.choice((1, 2, 4, 512, 5000)) :]


def _insert(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    start = _place(draw, data)
    return data[:start] + draw.randbytes(draw.choice((1, 2, 4, 512))) + data[start:]


def _insert_opcodes(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    start = _place(draw, data)
    return data[:start] + b"".join(draw.choices(_OPCODES, k=draw.choice((1, 2, 5, 50)))) + data[start:]


def _repeat(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    start = _place(draw, data)
    part = data[start : start + draw.choice((1, 2, 10, 600))]
    return data[:start] + part * draw.choice((2, 3, 2000)) + data[start:]


def _truncate(draw: random.Random, data: bytes, _others: list[bytes]) -> bytes:
    return data[: _place(draw, data)]


def _splice(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    other = draw.choice(others)
    return data[: _place(draw, data)] + other[_place(draw, other) :]


_CHANGES = (
    _flip,
    _set_byte,
    _set_size,
    _set_digits,
    _remove,
    _insert,
    _insert_opcodes,
    _repeat,
    _truncate,
    _splice,
)
