"""The colors and the style of all plots, and the PNG files of studies, sessions and published benchmarks.

The colors are those of Okabe and Ito, which color-blind eyes tell apart; no plot needs color alone to be read.
"""

import pathlib
from collections.abc import Mapping

from matplotlib.figure import Figure

from pipeline.common import files

BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, INK, GREY, GRID = "#cc79a7", "#56b4e9", "#222222", "#8a8f98", "#d9dee5"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
}
DOTS_PER_INCH = 144
ROW_INCHES = 0.36  # of a bar and the gap to the next


def save_figures(figures: Mapping[str, Figure | None], folder: pathlib.Path) -> list[pathlib.Path]:
    """Save figures as PNG under their names and return the paths; a name whose figure is None loses its old file."""
    files.make_folder(folder)
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        if figure is None:
            path.unlink(missing_ok=True)
        else:
            with files.replacing(path) as temporary:
                figure.savefig(temporary, dpi=DOTS_PER_INCH)
            paths.append(path)
    return paths
