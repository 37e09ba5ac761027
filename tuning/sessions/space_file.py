"""Spaces that people write: a Python file with a function `space(hp)`.

It may also define the fields that all trials share (those of `quick` by default):

    BASE = {"preset": "tiny", "batch_size": 256}

Such a file may import the modules beside it, and use NumPy's numbers and arrays wherever Python's would do.
"""

import ast
import enum
import importlib.util
import pathlib
import sys
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common import errors

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Values = dict[str, Any]
Choose = Callable[["HyperParameters"], Values]


def load(path: pathlib.Path, name: str) -> tuple[Choose, Values]:
    """The function and the shared fields of a file, by Python's numbers.

    Raises:
      errors.BadArgumentError: it defines no space; `name` is how it was given.
    """
    if not path.is_file():
        raise errors.BadArgumentError(f"space={name}: expected a Python file, got none")
    try:
        module = _imported(path)
        choose, base = getattr(module, "space", None), _plain(getattr(module, "BASE", {}))
    except (Exception, SystemExit) as error:  # whatever somebody's file does
        raise errors.BadArgumentError(f"space={name}: {type(error).__name__}: {error}{where(error, path)}") from error
    if not callable(choose) or not isinstance(base, Mapping):
        raise errors.BadArgumentError(f"space={name}: expected a function space(hp), and BASE, if any, to be a dict")
    return lambda hp: _plain(choose(_PlainHyperParameters(hp))), dict(base)


def where(error: BaseException, path: pathlib.Path) -> str:
    """` (FILE, line N)`: the last line of a file, or of one beside it, that led to an error; nothing without one."""
    if isinstance(error, SyntaxError):
        return ""  # which says so itself
    lines = traceback.extract_tb(error.__traceback__)
    files = [line for line in lines if pathlib.Path(line.filename).parent == path.parent]
    return f" ({pathlib.Path(files[-1].filename).name}, line {files[-1].lineno})" if files else ""


def _imported(path: pathlib.Path) -> ModuleType:
    """The module of a file.

    Its folder comes last in Python's path, for ever: `space` may import later, and a file there that is called like a
    module of Python or of a library must not take that module's place. Its own name hides no module either.
    """
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    _check_neighbours(path)
    spec = importlib.util.spec_from_file_location("__space__", path)
    assert spec is not None
    assert spec.loader is not None  # it ends with .py
    module = sys.modules["__space__"] = importlib.util.module_from_spec(spec)  # there dataclasses look for it
    spec.loader.exec_module(module)
    return module


def _check_neighbours(path: pathlib.Path) -> None:
    """Raise ImportError where a file imports a module beside it by the name of another one."""
    for node in ast.walk(ast.parse(path.read_bytes(), path.name)):
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in {name.partition(".")[0] for name in imported} - sys.stdlib_module_names:
            beside = [path.parent / f"{name}.py", path.parent / name / "__init__.py"]
            origin = pathlib.Path(getattr(importlib.util.find_spec(name), "origin", None) or "").resolve()
            own = [one.resolve() for one in beside if one.exists() and one != path]
            if own and origin not in own:
                raise ImportError(f"import of {name!r}: {origin} comes before {own[0]}; rename the latter")


class _PlainHyperParameters:
    """Hyperparameters whose methods take NumPy's numbers and arrays."""

    def __init__(self, hyperparameters: "HyperParameters") -> None:
        self._hyperparameters = hyperparameters

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._hyperparameters, name)
        if not callable(value):
            return value
        return lambda *arguments, **named: value(*_plain(arguments), **_plain(named))

    def __getitem__(self, name: str) -> Any:
        return self._hyperparameters[name]

    def __contains__(self, name: str) -> bool:
        return name in self._hyperparameters


def _plain(value: Any) -> Any:
    """A value, or what a list, tuple or mapping holds, with NumPy's types and enumerations made Python's numbers."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
