"""Pickles as other writers leave them: Python 2 with protocols 0 to 2, and NumPy 1."""

import io
import pickle
import struct

import numpy as np


def dump(value: object, protocol: int, *, writer: str) -> bytes:
    """A pickle by `writer`: "python 2", "numpy 1" or "numpy 2"; the latter two by Python 3."""
    if writer == "python 2":
        start = b"\x80\x02" if protocol == 2 else b""
        return start + _Python2(protocol).dump(value) + b"."
    buffer = io.BytesIO()
    (_NumPy1Pickler if writer == "numpy 1" else pickle._Pickler)(buffer, protocol).dump(value)
    return buffer.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.") if writer == "numpy 1" else buffer.getvalue()


class _NumPy1Pickler(pickle._Pickler):
    """Writes the name of NumPy's module that protocols 4 and 5 write as a text."""

    def save(self, obj, *arguments, **keywords):
        if type(obj) is str and obj.startswith("numpy._core."):
            obj = obj.replace("numpy._core", "numpy.core")
        super().save(obj, *arguments, **keywords)


class _Python2:
    """Pickles without a memo, as cPickle does when it is `fast`: byte strings, and NumPy's old names."""

    def __init__(self, protocol: int) -> None:
        self._protocol = protocol

    def dump(self, value: object) -> bytes:
        if isinstance(value, dict):
            items = b"".join(self.dump(key) + self.dump(item) + b"s" for key, item in value.items())
            return (b"}" if self._protocol else b"(d") + items
        if isinstance(value, list):
            return (b"]" if self._protocol else b"(l") + b"".join(self.dump(item) + b"a" for item in value)
        if isinstance(value, tuple):
            return b"(" + b"".join(map(self.dump, value)) + b"t"
        if isinstance(value, bool | int):
            return self._number(int(value))
        if isinstance(value, str | bytes):
            return self._string(value.encode() if isinstance(value, str) else value)
        if isinstance(value, np.integer):
            arguments = self._dtype(value.dtype) + self._string(value.tobytes())
            return b"cnumpy.core.multiarray\nscalar\n(" + arguments + b"tR"
        assert isinstance(value, np.ndarray)
        is_fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        made = (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + self.dump((0,)) + self._string(b"b") + b"tR"
        )
        state = self.dump(1) + self.dump(value.shape) + self._dtype(value.dtype)
        content = self._string(value.tobytes("F" if is_fortran else "C"))
        return made + b"(" + state + (b"I01\n" if is_fortran else b"I00\n") + content + b"tb"

    def _number(self, value: int) -> bytes:
        if not self._protocol:
            return b"I%d\n" % value
        return b"J" + struct.pack("<i", value)

    def _string(self, value: bytes) -> bytes:
        if not self._protocol:
            return b"S" + repr(value)[1:].encode() + b"\n"  # as repr of Python 2's str
        if len(value) < 256:
            return b"U" + bytes([len(value)]) + value
        return b"T" + struct.pack("<i", len(value)) + value

    def _dtype(self, dtype: np.dtype) -> bytes:
        order = dtype.str[:1]
        made = b"cnumpy\ndtype\n(" + self._string(dtype.str[1:].encode()) + self._number(0) + self._number(1) + b"tR"
        ends = self._number(-1) + self._number(-1) + self._number(0)
        return made + b"(" + self._number(3) + self._string(order.encode()) + b"NNN" + ends + b"tb"
