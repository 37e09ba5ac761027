"""The functions and classes that a pickle of a data set may name, each replaced by a stand-in.

The stand-ins build integers, texts, plain containers and NumPy arrays. NumPy's own unpickling code, which trusts types
and sizes, never runs. Each gets `charge(num_bytes)`, which it calls before it allocates memory.
"""

import math
import pickle
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Charge = Callable[[int], None]
ARRAY_TYPE, LIST_TYPE = object(), object()  # arguments of other functions
_DTYPES = re.compile(r"[|<>=]?([iu][1248]|b1|f[248]|[SU]\d{1,4}|O8?)")
# The machine formats of `array._array_reconstructor`, by number.
_ARRAY_FORMATS = ("u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4", "<i4", ">i4", "<u8", ">u8", "<i8", ">i8")
_MAX_NAME = 512  # characters of a name or a key, of which texts in other encodings are made
_ENTRY_BYTES = 100  # at most, of a dictionary: a hash, a key and an item in a table that is a third full


class Function:
    """A function that a pickle may call; it has no `__dict__` that a pickle could change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, charge: Charge, *arguments: Any) -> Any:
        """The result of the function."""
        return self._function(charge, *arguments)


class LatinText:
    """A long text, as its bytes in Latin-1: Python 3 writes bytes as such a text in protocols 0 to 2."""

    __slots__ = ("content",)

    def __init__(self, content: bytes | bytearray) -> None:
        self.content = content


class Dtype:
    """A stand-in for a `numpy.dtype` without fields; its state sets the byte order."""

    __slots__ = ("name",)

    def __init__(self, _charge: Charge, name: Any, *_flags: Any) -> None:
        self.name = text_of(name)
        if not _DTYPES.fullmatch(self.name):
            raise pickle.UnpicklingError(f"holds an array of type {self.name[:20]!r}; expected integers")

    def set_state(self, state: Any) -> None:
        """Set the byte order."""
        order = text_of(state[1])
        if order not in ("|", "<", ">", "="):
            raise pickle.UnpicklingError(f"holds an array of byte order {order[:20]!r}")
        self.name = order + self.name.lstrip("|<>=")

    @property
    def is_object(self) -> bool:
        """Whether the elements are Python objects, in a list."""
        return "O" in self.name


class Array:
    """A stand-in for `numpy.ndarray`; `value` is the array, or a list for an array of Python objects."""

    __slots__ = ("value",)

    def __init__(self, value: np.ndarray | list[Any] | None = None) -> None:
        self.value = value

    def set_state(self, state: Any) -> None:
        """Set `value`."""
        _version, shape, dtype, is_fortran, content = state
        self.value = _array(content, dtype, shape, "F" if is_fortran else "C")


def text_of(value: Any) -> str:
    """The text of a name in a pickle, which Python 2 writes as bytes."""
    if isinstance(value, bytes | str) and len(value) > _MAX_NAME:
        raise pickle.UnpicklingError(f"holds a name of {len(value):,} characters")
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, str):
        return value
    raise pickle.UnpicklingError(f"holds {type(value).__name__} where a name is expected")


def dictionary(charge: Charge, items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dictionary of (key, item) pairs; its keys must be texts, whose hashes cannot be made to collide."""
    result = {}
    for key, item in items:
        charge(_ENTRY_BYTES)
        if not isinstance(key, bytes | str) or len(key) > _MAX_NAME:
            raise pickle.UnpicklingError(f"dictionary keys must be strings of at most {_MAX_NAME} characters")
        result[key] = item
    return result


def _array(content: Any, dtype: Any, shape: Any, order: str) -> np.ndarray | list[Any]:
    if not isinstance(dtype, Dtype) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("holds an array that is not a plain block of integers")
    if any(type(size) is not int or size < 0 for size in shape):
        raise pickle.UnpicklingError("holds an array of an invalid shape")
    if dtype.is_object:
        if not isinstance(content, list) or shape != (len(content),):
            raise pickle.UnpicklingError("holds an array of objects that is not a list")
        return content
    kind = np.dtype(dtype.name)
    if not isinstance(content, bytes | bytearray):
        raise pickle.UnpicklingError("holds an array that is not a plain block of integers")
    if math.prod(shape) * kind.itemsize != len(content):
        raise pickle.UnpicklingError(f"holds an array of shape {shape[:9]} in {len(content)} bytes")
    return np.frombuffer(content, kind).reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(_charge: Charge, kind: Any, *_placeholder: Any) -> Array:
    if kind is not ARRAY_TYPE:
        raise pickle.UnpicklingError("holds an array of an unknown class")
    return Array()


def _from_buffer(_charge: Charge, content: Any, dtype: Any, shape: Any, order: Any) -> Array:
    return Array(_array(content, dtype, shape, text_of(order)))


def _scalar(charge: Charge, dtype: Any, content: Any) -> Any:
    """A number, bytes or text of a NumPy scalar."""
    if isinstance(content, str):
        content = content.encode("latin1")
    value = _array(content, dtype, (), "C")
    assert isinstance(value, np.ndarray)  # a list has no shape ()
    charge(value.nbytes)
    return value.item()


def _encode(_charge: Charge, text: Any, encoding: Any) -> bytes | bytearray:
    # Python 3 writes bytes so in protocols 0 to 2; another codec could be any code.
    if text_of(encoding).replace("-", "") != "latin1" or not isinstance(text, str | LatinText):
        raise pickle.UnpicklingError(f"asks for the codec {text_of(encoding)[:20]!r}; expected latin1")
    return text.content if isinstance(text, LatinText) else text.encode("latin1")


def _bytes(charge: Charge, content: Any = b"", encoding: Any = "latin1") -> bytes | bytearray:
    if isinstance(content, bytes | bytearray):
        return content
    return _encode(charge, content, encoding)


def _ordered_dict(charge: Charge, items: Any = ()) -> dict[Any, Any]:
    return dictionary(charge, items.items() if isinstance(items, dict) else items)


def _default_dict(charge: Charge, _factory: Any = None, items: Any = ()) -> dict[Any, Any]:
    return _ordered_dict(charge, items)


def _python_array(charge: Charge, typecode: Any, values: Any) -> Array:
    """An `array.array`: a list of integers, or their bytes."""
    code = text_of(typecode)
    if not re.fullmatch("[bBhHiIlLqQ]", code):
        raise pickle.UnpicklingError(f"holds an array of type {code[:20]!r}; expected integers")
    if isinstance(values, bytes | bytearray):
        return Array(np.frombuffer(values, code))
    if not isinstance(values, list | tuple) or not all(isinstance(value, int) for value in values):
        raise pickle.UnpicklingError("holds an array of other values than integers")  # such as one list many times
    charge(len(values) * np.dtype(code).itemsize)
    return Array(np.array(values, code))


def _python_array_of_bytes(_charge: Charge, _kind: Any, _typecode: Any, machine_format: Any, content: Any) -> Array:
    if type(machine_format) is not int or not 0 <= machine_format < len(_ARRAY_FORMATS):
        raise pickle.UnpicklingError("holds an array that is not a plain block of integers")
    return Array(np.frombuffer(content, _ARRAY_FORMATS[machine_format]))


# `find` looks the names of Python 2, NumPy 2 and NumPy 1.16.0 up as those of Python 3 and NumPy 1.
_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): Function(_reconstruct),
    ("numpy.core.multiarray", "scalar"): Function(_scalar),
    ("numpy.core.numeric", "_frombuffer"): Function(_from_buffer),
    ("numpy", "dtype"): Function(Dtype),
    ("numpy", "ndarray"): ARRAY_TYPE,
    ("numpy", "memmap"): ARRAY_TYPE,
    ("numpy.core.memmap", "memmap"): ARRAY_TYPE,
    ("array", "_array_reconstructor"): Function(_python_array_of_bytes),
    ("array", "array"): Function(_python_array),
    ("_codecs", "encode"): Function(_encode),
    ("builtins", "bytes"): Function(_bytes),
    ("builtins", "bytearray"): Function(_bytes),
    ("builtins", "list"): LIST_TYPE,  # the factory of a defaultdict
    ("collections", "OrderedDict"): Function(_ordered_dict),
    ("collections", "defaultdict"): Function(_default_dict),
}


def find(module: str, name: str) -> Any:
    """The stand-in for a function or class of a module; pickle.UnpicklingError if a data set needs no such thing."""
    former = module.replace("numpy._core.", "numpy.core.").replace("._multiarray_umath", ".multiarray")
    try:
        return _STAND_INS[former.replace("__builtin__", "builtins"), name]
    except KeyError:
        shown = f"{module}.{name}".encode("unicode_escape").decode()[:80]
        raise pickle.UnpicklingError(f"asks for {shown}, which no data set needs") from None
