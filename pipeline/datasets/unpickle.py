"""Reading a pickle from a stranger: NumPy integer arrays and plain containers, and nothing else.

`cifar-100-python` is a pickle, and a pickle is a program that may call whatever it names. This reader knows a few
names, and gives none of them the thing named: each becomes a stand-in of this file. So neither a function of the
operating system nor NumPy's own unpickling code (which trusts the types and sizes it is told) runs at the file's word.
"""

import io
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np

_INTEGERS = re.compile(r"[|<>=]?[iu][1248]")


def load(data: bytes) -> Any:
    """What the pickle holds; the strings of Python 2 arrive as bytes.

    Raises:
      pickle.UnpicklingError: the pickle is broken, or names anything but integer arrays and plain containers.
    """
    try:
        return _resolve(_Unpickler(io.BytesIO(data), encoding="bytes").load())
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # broken opcodes raise whatever they stumble on: IndexError, TypeError, MemoryError ...
        raise pickle.UnpicklingError(f"broken pickle ({type(error).__name__}: {error})") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, which no data set needs") from None


class _Call:
    """A function that a pickle may call. Without a `__dict__` there is nothing that a pickle could overwrite."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("the pickle tries to change a function")


class _Type:
    """Stands for a `numpy.dtype` of integers; its byte order arrives after it was made."""

    __slots__ = ("dtype",)

    def __init__(self, name: Any, *_flags: Any) -> None:
        text = _text(name)
        if not _INTEGERS.fullmatch(text):
            raise pickle.UnpicklingError(f"the pickle holds an array of type {text[:20]!r}; expected integers")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = _text(state[1])
        if order not in ("|", "<", ">", "="):
            raise pickle.UnpicklingError(f"the pickle holds an array of byte order {order[:20]!r}")
        self.dtype = np.dtype(order + self.dtype.str[1:])


class _Array:
    """Stands for a `numpy.ndarray`; `array` appears when its state arrives."""

    __slots__ = ("array",)

    def __init__(self, *_placeholder: Any) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, kind, is_fortran, content = state
        self.array = _array(content, kind, shape, "F" if is_fortran else "C")


def _array(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("the pickle holds an array that is no plain block of integers")
    if any(not isinstance(size, int) or size < 0 for size in shape):
        raise pickle.UnpicklingError(f"the pickle holds an array of shape {shape}")
    if math.prod(shape) * kind.dtype.itemsize != len(content):
        raise pickle.UnpicklingError(f"the pickle holds an array of shape {shape} in {len(content)} bytes")
    return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if _text(order) == "F" else "C")


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    result = _Array()
    result.array = _array(content, kind, shape, order)
    return result


def _encode(text: Any, encoding: Any) -> bytes:
    # How Python 3 writes bytes in protocols 0 to 2; other codecs than this one would be code on the file's say-so.
    if not isinstance(text, str) or _text(encoding) != "latin1":
        raise pickle.UnpicklingError(f"the pickle asks for the codec {encoding!r}; expected latin1")
    return text.encode("latin1")


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _resolve(value: Any) -> Any:
    """Replace stand-ins by their arrays, as deep as CIFAR-100 nests them: at the top and in a dictionary there."""
    if isinstance(value, dict):
        return {key: item.array if isinstance(item, _Array) else item for key, item in value.items()}
    return value.array if isinstance(value, _Array) else value


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Call(_Array),
    ("numpy.core.numeric", "_frombuffer"): _Call(_from_buffer),
    ("numpy", "ndarray"): "ndarray",  # only ever an argument of _reconstruct
    ("numpy", "dtype"): _Call(_Type),
    ("_codecs", "encode"): _Call(_encode),
}
