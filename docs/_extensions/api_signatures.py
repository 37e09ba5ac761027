"""Python API: fields of configurations, and signatures of Keras layers."""

import re
from typing import Any

from sphinx.application import Sphinx

from pipeline.common.config import Config, settings


def add_fields(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Append the fields of a configuration to its docstring: type, help text and default."""
    if what != "class" or not issubclass(documented, Config):
        return
    lines.append("")
    for field in settings(documented).values():
        kind = field.kind.__name__ if field.kind in (bool, int, float, str) else "tuple"
        help_text = re.sub(r"([*`|_\\])", r"\\\1", field.help)
        lines += [f":param {field.name}: {help_text} (default ``{field.default!r}``)", f":type {field.name}: {kind}"]


def use_init(
    app: Sphinx, what: str, name: str, documented: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Leave the values of a configuration out of its signature; `add_fields` documents them."""
    if what == "class" and issubclass(documented, Config):
        return "(**fields)", returned
    return signature, returned


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", add_fields)
    app.connect("autodoc-process-signature", use_init)
    return {"parallel_read_safe": True}
