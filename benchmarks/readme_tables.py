"""Write README.md's tables of studies again, from the results that are committed.

    python -m benchmarks.readme_tables

Between `<!-- study NAME -->` and `<!-- end -->` stands the table of docs/studies/NAME/report.json, between
`<!-- rows of the study -->` and `<!-- end -->` every row of the study that this project replaces
(benchmarks/study_rows.py). A report's own page and plots are drawn again by
`python -m tuning.study --redraw=docs/studies/NAME/report.json`.
"""

import json
import pathlib
import re
from typing import Any

from absl import flags

from benchmarks import study_rows
from models import run_folder
from pipeline import binary, errors
from tuning import study_report

STUDIES = pathlib.Path("docs", "studies")
PAGE = flags.DEFINE_string("page", "README.md", "the Markdown file, at the top of the repository")
RESULTS = pathlib.Path("benchmarks", "results")
_STUDY = re.compile(r"(?P<begin><!-- study (?P<name>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
_ROWS = re.compile(r"(?P<begin><!-- rows of the study -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def main() -> None:
    """Replace every table of the page, or none."""
    page = pathlib.Path(PAGE.value)
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise errors.BadArgumentError(f"page={page}: {error.strerror}") from error
    run_folder.write_text(page, with_tables(text, page.parent))
    print(f"written: {page}")


def with_tables(text: str, checkout: pathlib.Path) -> str:
    """The page with each of its tables as the results in a checkout have it.

    Raises:
      errors.FailedError: a table's report is not there, or is none.
    """
    studies = checkout / STUDIES
    text = _STUDY.sub(lambda block: block["begin"] + _table(studies, block["name"]) + block["end"], text)
    rows = "\n".join(study_rows.table(checkout / RESULTS, studies)) + "\n"
    return _ROWS.sub(lambda block: block["begin"] + rows + block["end"], text)


def _table(studies: pathlib.Path, name: str) -> str:
    path = studies / name / "report.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lines = study_report.markdown_table(report, report["metrics"][0])
        origin = study_report.origin(report)
    except (OSError, ValueError, KeyError) as error:
        raise errors.FailedError(f"{path}: expected a report.json that tuning.study wrote ({error})") from error
    return "\n".join([*lines, "", f"{origin}. [All of it]({STUDIES.as_posix()}/{name}/report.md)", ""])


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
