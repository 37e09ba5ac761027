"""The documentation site: Sphinx builds it from the pages in this folder (`make docs`)."""

import pathlib
import sys

DOCS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_extensions")]

project = "streaming-cifar100"
copyright = "the authors of streaming-cifar100; Apache License 2.0"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "api_signatures",
    "cell_widths",
    "page_length",
    "repository_links",
]

# Pages are GitHub's Markdown, so that they read there as well; headings have the anchors that GitHub gives them.
myst_heading_anchors = 4
highlight_language = "text"

# Docstrings are in Google's style, with code between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the docstrings name dtypes and shapes

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
