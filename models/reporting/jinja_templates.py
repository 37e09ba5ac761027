"""The templates of pages and documents."""

import pathlib
from typing import Any

import jinja2


def beside(module: str, *, autoescape: bool = True, **options: Any) -> jinja2.Environment:
    """The templates in the folder `templates` beside a module, of which `module` is the `__file__`."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(module).parent / "templates"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,  # a value that is missing is an error
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
