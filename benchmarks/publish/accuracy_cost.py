"""Draw what trainings cost and what they reach on CIFAR-100's test images: our presets and published recipes.

    python -m benchmarks.publish.accuracy_cost --out=docs/accuracy_cost.png

Ours are the reports on test in `*-cifar100.json` of `--results_dir`, seeds of a recipe averaged: a new file appears by
itself. The networks of the original study are left out; docs/original_study.md has them. The published recipes, their
sources, and which costs are estimates are in benchmarks/publish/published_results.py.
"""

import pathlib

from benchmarks.publish import accuracy_cost_chart, our_results
from benchmarks.publish.our_results import Measured
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
    image_grid.write(out, accuracy_cost_chart.draw(recipes(pathlib.Path(RESULTS_DIR.value))))
    print(f"written: {out}")


def recipes(results_dir: pathlib.Path) -> list[Measured]:
    """Our recipes that the chart shows."""
    return [recipe for recipe in our_results.read(results_dir) if not recipe.name.startswith("original")]


if __name__ == "__main__":
    app.run(main, flags)
