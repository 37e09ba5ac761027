"""Draw the page of a trained run again, or compare several runs side by side.

    python -m models.report --run_dir=runs/quick
    python -m models.report --compare=runs/quick,runs/tiny --out=comparison.html

A run's page, `report.html`, and the same figures in `report.md` are in its folder; models.train and models.evaluate
draw them too. A comparison shows metrics, costs, learning curves and configurations of two to eight runs of one data
set, and the differences of their accuracies from the first run's, paired by image, with 95 % intervals.
"""

import pathlib

from models.runs import output_file
from models.runs.folder import RunFolder
from pipeline.common import app, errors, files, progress

flags = app.Flags()
RUN_DIR = flags.DEFINE_path("run_dir", "", "folder of the run that models.train wrote")
COMPARE = flags.DEFINE_path_list("compare", "folders of the runs to compare, with the first one as the reference")
OUT = flags.DEFINE_path("out", "", "HTML file of a comparison; default: comparison.html")


def main() -> None:
    """Draw the page of the flags."""
    if bool(RUN_DIR.value) == bool(COMPARE.value):
        raise errors.BadArgumentError("run_dir: expected either --run_dir=FOLDER or --compare=FOLDER,FOLDER")
    if RUN_DIR.value:
        if OUT.value:
            raise errors.BadArgumentError(f"out={OUT.value}: expected with --compare; a run's page is in its folder")
        _draw(RunFolder(RUN_DIR.value))
    else:
        path = output_file.check(OUT.value or "comparison.html")
        _compare([RunFolder(folder, "compare") for folder in COMPARE.value], path)


def _draw(folder: RunFolder) -> None:
    folder.check_finished().check_readable()
    files.check_folder_writable("run_dir", folder.path)
    app.load_tensorflow()  # which the learning rates need
    with progress.task("loading Keras"):
        from models.reporting import page, table

    with folder.locked():
        page.write(folder)
    table.show_page(folder)


def _compare(folders: list[RunFolder], path: pathlib.Path) -> None:
    from models.reporting import comparison_page, table

    runs = comparison_page.read(folders)
    with progress.task(f"drawing {path}"):
        comparison_page.write(path, runs)
    console = table.console_of(runs[0].report["dataset"])
    for grid in comparison_page.grids(runs):
        console.print(table.of_texts([grid.headings, *grid.rows], grid.caption))
    print(f"written: {path}")


def run() -> None:
    """The console script `cifar-report`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
