"""Draw what trainings cost and what they reach on CIFAR-100's test images: our presets and published recipes.

    python -m benchmarks.publish.accuracy_cost --out=docs/accuracy_cost.png

Ours are all reports on test in `*-cifar100.json` of `--results_dir`, seeds of a recipe averaged: a new file appears by
itself. benchmarks/publish/published_results.py has the published ones, their sources, and which costs are estimates.
"""

import pathlib

from benchmarks.publish import accuracy_cost_chart, our_results
from pipeline.common import app, config
from pipeline.gallery import image_grid, picture_file

flags = app.Flags()
RESULTS_DIR = flags.DEFINE_path(
    "results_dir", str(config.CHECKOUT / "benchmarks" / "results"), "folder with the results of our presets"
)
OUT = flags.DEFINE_path("out", "", "PNG file to write; its folder is made")


def main() -> None:
    """Read, draw, write."""
    out = picture_file.picture_path(OUT.value)
    ours = [recipe for recipe in our_results.read(pathlib.Path(RESULTS_DIR.value)) if recipe.fine_percents]
    image_grid.write(out, accuracy_cost_chart.draw(ours))
    print(f"written: {out}")


if __name__ == "__main__":
    app.run(main, flags)
