"""The picture of an explained prediction: the image as the network takes it, and beside it the map over the image."""

import hashlib
import os
import pathlib
import re
import warnings

import numpy as np
from matplotlib.figure import Figure

from models.prediction.explanation import Explainer, Method
from models.prediction.formats import printable
from models.prediction.rows import Row
from models.reporting import plot_style
from pipeline.common import files
from pipeline.datasets.description import Classes

COLORS = "viridis"  # perceptually uniform
SHARE_OF_MAP = 0.6  # of the map over the grey image
MAX_TITLE = 44  # characters
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


class PictureFolder:
    """Writes the picture of each prediction to a folder; `classes` are those of the run."""

    def __init__(self, folder: str, explainer: Explainer, classes: Classes) -> None:
        self._folder, self._explainer, self._names = pathlib.Path(folder), explainer, classes.names[explainer.level]

    def write(self, row: Row, image: np.ndarray) -> str:
        """Draw and write the picture of a prediction and its image, uint8 [S, S, 3]; the name of its file.

        Errors are as of `files.writing`.
        """
        heat = self._explainer(image, self._names.index(row.top[0].label))
        # Of letters that the font does not have.
        with files.writing("explain", self._folder), warnings.catch_warnings(action="ignore"):
            figure = draw(row, image, heat, self._explainer.method)
            (path,) = plot_style.save_figures({file_stem(row.path): figure}, self._folder)
        return path.name


def file_stem(path: str) -> str:
    """A name for the picture of a file: letters of the file's name, and a hash of its path, which keeps names apart."""
    letters = re.sub(r"[^A-Za-z0-9]+", "-", os.path.basename(path))[:60].strip("-")
    return f"{letters}-{hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()}".strip("-")


def draw(row: Row, image: np.ndarray, heat: np.ndarray, method: Method) -> Figure:
    """The picture of an image, uint8 [S, S, 3], and of its map, float32 [S, S], 0 to 1."""
    figure = Figure(figsize=(7.2, 4.1), layout="constrained")
    plain, overlaid = figure.subplots(1, 2)
    plain.imshow(image, interpolation="nearest")
    overlaid.imshow(image @ LUMINANCE, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    colors = overlaid.imshow(heat, cmap=COLORS, vmin=0, vmax=1, alpha=SHARE_OF_MAP, interpolation="bilinear")
    bar = figure.colorbar(colors, ax=overlaid, shrink=0.8, ticks=[0, 1])
    bar.ax.set_yticklabels(["least", "most"])
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    answer = row.top[0]
    titles = (printable(row.path), printable(f"{answer.label}, {100 * answer.probability:.1f} %"))
    for axes, title in zip((plain, overlaid), titles, strict=True):
        axes.set_title(_shortened(title), fontsize=10, parse_math=False)
        axes.set_axis_off()
    figure.supxlabel(f"{method.name} ({method.source})", fontsize=9, color=plot_style.INK)
    return figure


def _shortened(text: str) -> str:
    """The end of a path is what tells it from others."""
    return text if len(text) <= MAX_TITLE else f"...{text[3 - MAX_TITLE :]}"
