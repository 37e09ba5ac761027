"""Write README.md's tables of studies again, from the results that are committed.

    python -m benchmarks.publish.readme_tables

Each stands between a comment and `<!-- end -->`:
  <!-- study NAME -->             the table of docs/studies/NAME/report.json
  <!-- session NAME -->           what docs/sessions/NAME/report.json says of the best trial
  <!-- rows of the study -->      every row of the study that this project replaces (benchmarks/study_rows.py)
  <!-- training steps -->         what benchmarks.train_step found (benchmarks/step_table.py)
  <!-- feeds -->                  what benchmarks.input found (benchmarks/feed_table.py)
  <!-- memory -->                 what benchmarks.memory found (benchmarks/memory_table.py)
A report's own page and plots are drawn again by `python -m tuning.study --redraw=docs/studies/NAME/report.json`.
"""

import pathlib

from absl import flags

from benchmarks.publish import readme_blocks
from pipeline.common import app, errors, files

PAGE = flags.DEFINE_string("page", "README.md", "the Markdown file, at the top of the repository")


def main() -> None:
    """Replace every table of the page, or none."""
    page = pathlib.Path(PAGE.value)
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise errors.BadArgumentError(f"page={page}: {error.strerror}") from error
    files.write_text(page, readme_blocks.with_tables(text, page.parent))
    print(f"written: {page}")


def run() -> None:
    """Start the binary."""
    app.run(main)


if __name__ == "__main__":
    run()
