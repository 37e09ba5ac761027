"""Reads an untrusted pickle of NumPy integer arrays and plain containers.

A pickle, such as `cifar-100-python`, may call any function by its name. This reader allows a few names and maps each to
a stand-in of this module, so that not even NumPy's unpickling code (which trusts types and sizes) runs.
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
    """The unpickled value; strings of Python 2 become bytes, and other types raise pickle.UnpicklingError."""
    try:
        value = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # broken opcodes raise IndexError, TypeError, MemoryError ...
        raise pickle.UnpicklingError(f"broken pickle ({type(error).__name__}: {error})") from error
    if isinstance(value, dict):  # CIFAR-100 nests no deeper
        return {key: item.array if isinstance(item, _Array) else item for key, item in value.items()}
    return value.array if isinstance(value, _Array) else value


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, which no data set needs") from None


class _Call:
    """A function that a pickle may call; it has no `__dict__` that a pickle could change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("the pickle tries to change a function")


class _Type:
    """A stand-in for an integer `numpy.dtype`; its state sets the byte order."""

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
    """A stand-in for `numpy.ndarray`; its state sets `array`."""

    __slots__ = ("array",)

    def __init__(self, *_placeholder: Any) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, kind, is_fortran, content = state
        self.array = _array(content, kind, shape, "F" if is_fortran else "C")


def _array(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("the pickle holds an array that is not a plain block of integers")
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
    # Python 3 writes bytes so in protocols 0 to 2; another codec could be any code.
    if not isinstance(text, str) or _text(encoding) != "latin1":
        raise pickle.UnpicklingError(f"the pickle asks for the codec {encoding!r}; expected latin1")
    return text.encode("latin1")


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Call(_Array),
    ("numpy.core.numeric", "_frombuffer"): _Call(_from_buffer),
    ("numpy", "ndarray"): "ndarray",  # an argument of _reconstruct
    ("numpy", "dtype"): _Call(_Type),
    ("_codecs", "encode"): _Call(_encode),
}
