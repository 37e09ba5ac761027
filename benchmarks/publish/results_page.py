"""Write docs/results.md from benchmarks/results: every committed measurement, with its machine and its command.

    python -m benchmarks.publish.results_page

Tables of all rows, and pictures where one says more: training steps beside PyTorch, the host's feeds beside others',
memory against the number of augmented images.
"""

import pathlib

from absl import flags

from benchmarks.publish import results_document, results_plots
from pipeline.common import app, errors, files

OUT = flags.DEFINE_string("out", "docs/results.md", "Markdown file to write; pictures go beside it, into results/")


def main() -> None:
    """Write the page and its pictures."""
    out = pathlib.Path(OUT.value)
    documents = results_document.read(results_document.RESULTS)
    folder = out.parent / "results"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = results_plots.draw(documents, folder)
        names = {name: path.name for name, path in pictures.items()}
        files.write_text(out, results_document.page(documents, names))
    except OSError as error:
        raise errors.BadArgumentError(f"out={out}: cannot be written ({error.strerror})") from error
    print(f"written: {out}", *(f"written: {path}" for path in pictures.values()), sep="\n")


def run() -> None:
    """Start the binary."""
    app.run(main)


if __name__ == "__main__":
    run()
