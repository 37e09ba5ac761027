"""Draw docs/settings.md: the settings outside of this project that the installed packages read, and their effect here.

    python -m benchmarks.publish.settings

Exit code 1, and nothing is written, where a package reads a setting whose effect is not known.
"""

import pathlib

from benchmarks.publish import setting_names
from pipeline.common import app, config, files

flags = app.Flags()
OUT = flags.DEFINE_path("out", str(config.CHECKOUT / "docs" / "settings.md"), "Markdown file to write")


def main() -> None:
    """Look through the packages, write the page."""
    path = pathlib.Path(OUT.value)
    with files.writing("out", path):
        files.check_writable(path)  # before the search, which takes seconds
        page = setting_names.page(setting_names.settings_read())
        files.make_folder(path.parent)
        files.write_text(path, page)
    print(f"written: {OUT.value}")


if __name__ == "__main__":
    app.run(main, flags)
