"""Draw the pages and plots of the committed studies and tuner sessions again, from their report.json.

    python -m benchmarks.publish.reports

docs/{studies,sessions}/NAME/report.json ──▶ report.md, *.png
"""

import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.common import app, config, errors, files
from tuning.sessions.reporting import page as session_page
from tuning.sessions.reporting import plots as session_plots
from tuning.studies import page as study_page
from tuning.studies import plots as study_plots

Report = Mapping[str, Any]

flags = app.Flags()
DOCS = flags.DEFINE_path("docs", str(config.CHECKOUT / "docs"), "folder with studies/ and sessions/")
PAGES: dict[str, Callable[[Report, Sequence[str]], str]]
PAGES = {"studies": study_page.page, "sessions": session_page.markdown}
PLOTS: dict[str, Callable[[dict[str, Any], pathlib.Path], list[pathlib.Path]]]
PLOTS = {"studies": study_plots.draw, "sessions": session_plots.draw}


def main() -> None:
    """Draw every committed report."""
    if not any((pathlib.Path(DOCS.value) / kind).is_dir() for kind in PAGES):
        raise errors.BadArgumentError(f"docs={DOCS.value}: expected a folder with {' or '.join(PAGES)} in it")
    for path in draw(pathlib.Path(DOCS.value)):
        print(f"written: {path}")


def draw(docs: pathlib.Path) -> Iterator[pathlib.Path]:
    """Write the page and the plots of each report beside it, and yield its page; FailedError for a broken report."""
    for kind in PAGES:
        for path in sorted((docs / kind).glob("*/report.json")):
            page = path.with_name("report.md")
            try:
                report = json.loads(path.read_text(encoding="utf-8"))
                pictures = PLOTS[kind](report, path.parent)
                files.write_text(page, PAGES[kind](report, [picture.name for picture in pictures]))
            except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
                raise errors.FailedError(f"{path}: expected a report.json of this version ({error!r})") from error
            yield page


if __name__ == "__main__":
    app.run(main, flags)
