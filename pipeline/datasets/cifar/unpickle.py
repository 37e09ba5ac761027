"""Reads an untrusted pickle of arrays and plain containers, in bounded memory and time.

A pickle, such as `cifar-100-python`, is a program: it may call any function by its name, and Python's unpickler
allocates whatever it declares. This reader interprets the opcodes of protocols 0 to 5 itself, calls nothing but the
stand-ins of `pickle_types`, and counts the memory that the values take.
"""

import pickle
import struct
import warnings
from collections.abc import Callable
from typing import IO, Any

from pipeline.datasets.cifar import pickle_types
from pipeline.datasets.cifar.pickle_source import Source

OPCODE_BYTES = 100  # what an opcode takes on average: an object, its place on the stack and in the memo
_ERRORS = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError, struct.error, Warning)


def load(file: IO[bytes], *, memory_limit: int = 64 << 20) -> Any:
    """The unpickled value of a buffered file; strings of Python 2 become bytes.

    Raises:
      pickle.UnpicklingError: the pickle is broken, holds other types, or takes more than `memory_limit` bytes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an escape sequence that Python does not know
        try:
            value = _Machine(Source(file, memory_limit)).run()
        except _ERRORS as error:
            raise pickle.UnpicklingError(f"is broken ({type(error).__name__}: {str(error)[:80]})") from error
    if isinstance(value, dict):  # CIFAR-100 nests no deeper
        return {key: _plain(item) for key, item in value.items()}
    return _plain(value)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, pickle_types.Array) else value


class _Machine:
    """The stack, the stacks below its marks, and the memo, as pickletools describes them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value on top of the stack at the opcode STOP."""
        while (opcode := self.source.opcode()) != pickle.STOP:
            self.source.charge(OPCODE_BYTES)
            if opcode not in _OPERATIONS:
                raise pickle.UnpicklingError(f"has the opcode {opcode!r}, which no data set needs")
            _OPERATIONS[opcode](self)
        return self._stack.pop()

    def check_protocol(self) -> None:
        """Check the version of the opcodes."""
        protocol = self.source.number("B")
        if protocol > 5:
            raise pickle.UnpicklingError(f"has protocol {protocol}; expected 0 to 5")

    def push(self, value: Any) -> None:
        """Push a value."""
        self._stack.append(value)

    def pop(self) -> None:
        """Drop the top value, or the mark if there is none above it."""
        if self._stack:
            self._stack.pop()
        else:
            self.since_mark()

    def duplicate(self) -> None:
        """Push the top value again."""
        self._stack.append(self._stack[-1])

    def mark(self) -> None:
        """Begin a list of values."""
        self._marked.append(self._stack)
        self._stack = []

    def since_mark(self) -> list[Any]:
        """Pop the values since the latest mark."""
        values, self._stack = self._stack, self._marked.pop()
        return values

    def last(self, count: int) -> list[Any]:
        """Pop the top values."""
        start = len(self._stack) - count
        if start < 0:
            raise pickle.UnpicklingError("is broken (a value is missing)")
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def dictionary(self, values: list[Any]) -> dict[Any, Any]:
        """A dictionary of keys and items in turn."""
        return pickle_types.dictionary(self.source.charge, zip(values[::2], values[1::2], strict=True))

    def extend(self, values: list[Any]) -> None:
        """Append values to the list below them."""
        if type(self._stack[-1]) is not list:
            raise pickle.UnpicklingError(f"appends to {type(self._stack[-1]).__name__}")
        self._stack[-1].extend(values)

    def update(self, values: list[Any]) -> None:
        """Put keys and items into the dictionary below them."""
        if type(self._stack[-1]) is not dict:
            raise pickle.UnpicklingError(f"puts an item into {type(self._stack[-1]).__name__}")
        self._stack[-1].update(self.dictionary(values))

    def get(self, index: int) -> None:
        """Push a value of the memo."""
        self._stack.append(self._memo[index])

    def put(self, index: int | None = None) -> None:
        """Keep the top value in the memo, by default at the next index."""
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def push_name(self, module: Any, name: Any) -> None:
        """Push the stand-in for a function or class."""
        self._stack.append(pickle_types.find(pickle_types.text_of(module), pickle_types.text_of(name)))

    def call(self) -> None:
        """Push the result of a function."""
        function, arguments = self.last(2)
        if not isinstance(function, pickle_types.Function) or not isinstance(arguments, tuple):
            raise pickle.UnpicklingError(f"calls {type(function).__name__}, which is no function")
        self._stack.append(function(self.source.charge, *arguments))

    def set_state(self) -> None:
        """Set the state of an array or a dtype."""
        target, state = self.last(2)
        if not isinstance(target, pickle_types.Array | pickle_types.Dtype):
            raise pickle.UnpicklingError(f"changes {type(target).__name__}")
        target.set_state(state)
        self._stack.append(target)


_OPERATIONS: dict[bytes, Callable[[_Machine], None]] = {
    pickle.PROTO: lambda m: m.check_protocol(),
    pickle.FRAME: lambda m: m.source.number("<Q"),
    pickle.MARK: lambda m: m.mark(),
    pickle.POP: lambda m: m.pop(),
    pickle.POP_MARK: lambda m: m.since_mark().clear(),
    pickle.DUP: lambda m: m.duplicate(),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: lambda m: m.push(m.source.line_integer()),
    pickle.LONG: lambda m: m.push(m.source.line_integer()),
    pickle.FLOAT: lambda m: m.push(float(m.source.line())),
    pickle.BININT: lambda m: m.push(m.source.number("<i")),
    pickle.BININT1: lambda m: m.push(m.source.number("B")),
    pickle.BININT2: lambda m: m.push(m.source.number("<H")),
    pickle.LONG1: lambda m: m.push(m.source.integer("B")),
    pickle.LONG4: lambda m: m.push(m.source.integer("<i")),
    pickle.BINFLOAT: lambda m: m.push(m.source.number(">d")),
    pickle.STRING: lambda m: m.push(m.source.quoted()),
    pickle.BINSTRING: lambda m: m.push(m.source.counted("<i")),
    pickle.SHORT_BINSTRING: lambda m: m.push(m.source.counted("B")),
    pickle.BINBYTES: lambda m: m.push(m.source.counted("<I")),
    pickle.SHORT_BINBYTES: lambda m: m.push(m.source.counted("B")),
    pickle.BINBYTES8: lambda m: m.push(m.source.counted("<Q")),
    pickle.BYTEARRAY8: lambda m: m.push(m.source.counted("<Q")),
    pickle.UNICODE: lambda m: m.push(m.source.text("raw_unicode_escape")),
    pickle.BINUNICODE: lambda m: m.push(m.source.text("utf-8", "<I")),
    pickle.SHORT_BINUNICODE: lambda m: m.push(m.source.text("utf-8", "B")),
    pickle.BINUNICODE8: lambda m: m.push(m.source.text("utf-8", "<Q")),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE1: lambda m: m.push(tuple(m.last(1))),
    pickle.TUPLE2: lambda m: m.push(tuple(m.last(2))),
    pickle.TUPLE3: lambda m: m.push(tuple(m.last(3))),
    pickle.TUPLE: lambda m: m.push(tuple(m.since_mark())),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.LIST: lambda m: m.push(m.since_mark()),
    pickle.APPEND: lambda m: m.extend(m.last(1)),
    pickle.APPENDS: lambda m: m.extend(m.since_mark()),
    pickle.EMPTY_DICT: lambda m: m.push({}),
    pickle.DICT: lambda m: m.push(m.dictionary(m.since_mark())),
    pickle.SETITEM: lambda m: m.update(m.last(2)),
    pickle.SETITEMS: lambda m: m.update(m.since_mark()),
    pickle.GET: lambda m: m.get(m.source.line_integer()),
    pickle.BINGET: lambda m: m.get(m.source.number("B")),
    pickle.LONG_BINGET: lambda m: m.get(m.source.number("<I")),
    pickle.PUT: lambda m: m.put(m.source.line_integer()),
    pickle.BINPUT: lambda m: m.put(m.source.number("B")),
    pickle.LONG_BINPUT: lambda m: m.put(m.source.number("<I")),
    pickle.MEMOIZE: lambda m: m.put(),
    pickle.GLOBAL: lambda m: m.push_name(m.source.line(), m.source.line()),
    pickle.STACK_GLOBAL: lambda m: m.push_name(*m.last(2)),
    pickle.REDUCE: lambda m: m.call(),
    pickle.NEWOBJ: lambda m: m.call(),
    pickle.BUILD: lambda m: m.set_state(),
}
