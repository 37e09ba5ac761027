"""The Python API: TensorFlow is imported without messages, and configurations show their fields."""

import inspect
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

from pipeline.common import app as binaries
from pipeline.common.config import CHECKOUT, Config, settings


def load_tensorflow(app: Sphinx, environment: Any, pages: list[str]) -> None:
    """Import TensorFlow without its messages before the modules of the API are imported."""
    if any(page.startswith("api/") for page in pages):
        binaries.load_tensorflow()


def add_fields(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Append the fields of a configuration to its docstring: type, help text and default."""
    if what != "class" or not issubclass(documented, Config):
        return
    lines.append("")
    for field in settings(documented).values():
        kind = field.kind.__name__ if field.kind in (bool, int, float, str) else "tuple"
        help_text = re.sub(r"([*`|_\\]|--)", r"\\\1", field.help)
        default = repr(field.default).replace(f"{CHECKOUT}/", "")
        lines += [f":param {field.name}: {help_text} (default ``{default}``)", f":type {field.name}: {kind}"]


def shorten(
    app: Sphinx, what: str, name: str, documented: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Leave out the fields of configurations, which `add_fields` documents, and defaults that are functions.

    The signature of a Keras layer is that of its `__init__`; Sphinx would take that of Keras's `__new__`.
    """
    if what == "class" and issubclass(documented, Config):
        return "(**fields)", returned
    if what == "class" and signature == "(*args, **kwargs)":
        parameters = list(inspect.signature(documented.__init__).parameters.values())[1:]
        signature = stringify_signature(inspect.Signature(parameters), unqualified_typehints=True)
    return re.sub(r"<(factory|function .*?<lambda>)>", "...", signature) if signature else signature, returned


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above."""
    app.connect("env-before-read-docs", load_tensorflow)
    app.connect("autodoc-process-docstring", add_fields)
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True}
