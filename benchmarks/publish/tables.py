"""Draw the tables and figures of README.md and docs/ again, from the committed results.

    python -m benchmarks.publish.tables

A table stands between a comment with its name and `<!-- end -->`; benchmarks/publish/blocks.py lists the names.
"""

import pathlib

from benchmarks.publish import blocks, our_results
from benchmarks.publish.plots import accuracy_cost_chart, results_plots, robustness_plots
from pipeline.common import app, config, errors, files
from pipeline.gallery import image_grid

flags = app.Flags()
CHECKOUT = flags.DEFINE_path("checkout", str(config.CHECKOUT), "folder of the repository whose pages are drawn")


def main() -> None:
    """Draw the plots, then replace every table of every page, or none."""
    checkout = pathlib.Path(CHECKOUT.value)
    try:
        pages = {checkout / page: (checkout / page).read_text(encoding="utf-8") for page in blocks.PAGES}
        plots = results_plots.draw(blocks.read_results(checkout / blocks.RESULTS), checkout / blocks.PLOTS)
        figures = {
            blocks.CORRUPTIONS: image_grid.draw(robustness_plots.sheet()),
            blocks.CHART: accuracy_cost_chart.draw(our_results.charted(checkout / blocks.RESULTS)),
        }
        for path, figure in figures.items():
            plots.append(checkout / path)
            image_grid.write(plots[-1], figure)
        drawn = {path: blocks.with_blocks(text, checkout) for path, text in pages.items()}
        for path, text in drawn.items():
            files.write_text(path, text)
    except OSError as error:
        raise errors.BadArgumentError(f"checkout={checkout}: {error}") from error
    print(*(f"written: {path.relative_to(checkout)}" for path in (*plots, *drawn)), sep="\n")


if __name__ == "__main__":
    app.run(main, flags)
