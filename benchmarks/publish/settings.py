"""Draw docs/settings.md: the settings outside of this project that the installed packages read, and their effect here.

    python -m benchmarks.publish.settings

Exit code 1, and nothing is written, where a package reads a setting whose effect is not known.
"""

import pathlib

from benchmarks.publish import setting_names
from pipeline.common import app, config, errors, files

flags = app.Flags()
OUT = flags.DEFINE_path("out", str(config.CHECKOUT / "docs" / "settings.md"), "Markdown file to write")


def main() -> None:
    """Look through the packages, write the page."""
    try:
        files.check_writable(pathlib.Path(OUT.value))  # before the search, which takes seconds
        files.write_text(pathlib.Path(OUT.value), setting_names.page(setting_names.settings_read()))
    except OSError as error:
        raise errors.BadArgumentError(f"out={OUT.value}: cannot be written ({error.strerror})") from error
    print(f"written: {OUT.value}")


if __name__ == "__main__":
    app.run(main, flags)
