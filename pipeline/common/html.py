"""HTML pages from Jinja2 templates, every value escaped."""

import pathlib

import jinja2


def environment(folder: pathlib.Path) -> jinja2.Environment:
    """The templates in a folder: values are escaped, and one that is missing raises jinja2.UndefinedError."""
    loader, strict = jinja2.FileSystemLoader(folder), jinja2.StrictUndefined
    return jinja2.Environment(loader=loader, autoescape=True, undefined=strict, trim_blocks=True, lstrip_blocks=True)
