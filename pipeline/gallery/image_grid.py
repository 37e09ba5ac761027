"""Draws a grid of small images with captions as a PNG file.

Sizes are in pixels of a page that shows the picture at half its width, so that text is sharp on fine screens.
Images are enlarged by an integer factor and placed on whole pixels: each of their pixels is an exact square.
"""

import dataclasses
import pathlib

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from PIL import Image

from pipeline.gallery import picture_file

DENSITY = 2  # pixels of the file for one of the page
ENLARGED = 7  # pixels of the file, along one side, for one of an image
SHADES = 4  # step between the values of a channel in the file: invisible, and the file is a quarter smaller
DOTS_PER_INCH = 64  # a power of two, so that sizes in inches are exact
STYLE = "default"  # ignores the user's matplotlibrc

MARGIN, GAP = 12, 8
NAME_WIDTH = 152  # of the column of row headings
LINE = 1.25  # of the font's size
GROUND, INK, QUIET = "#dfe3e8", "#1b222c", "#4a5361"  # light and neutral, to show black and white borders


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the grid.

    Attributes:
      name: heading of the row.
      details: lines below the heading.
      images: uint8 [N, H, W, 3].
      captions: texts below the images, of one or more lines each; or none.
    """

    name: str
    details: tuple[str, ...]
    images: np.ndarray
    captions: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Picture:
    """The contents of a picture; `headings` are those of the columns, or none."""

    title: str
    subtitle: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class Font:
    """A font; `size` in pixels of the page."""

    size: float
    colour: str = INK
    weight: str = "normal"

    @property
    def line(self) -> float:
        """The height of a line."""
        return self.size * LINE

    @property
    def properties(self) -> FontProperties:
        """The font for Matplotlib, whose sizes are in points."""
        return FontProperties(family="DejaVu Sans", weight=self.weight, size=self.size * DENSITY * 72 / DOTS_PER_INCH)


TITLE, SUBTITLE = Font(19, weight="bold"), Font(12.5, QUIET)
HEADING, NAME, DETAIL, CAPTION = Font(12, weight="bold"), Font(12.5, weight="bold"), Font(11, QUIET), Font(11)


def draw(picture: Picture) -> Figure:
    """The picture as a figure of matching size."""
    with matplotlib.style.context(STYLE):
        return _Sheet(picture).figure()


def write(path: pathlib.Path, figure: Figure) -> None:
    """Replace the PNG file `path` by the figure, as `picture_file.replacing` does."""
    canvas = FigureCanvasAgg(figure)
    with matplotlib.style.context(STYLE):
        canvas.draw()
    pixels = to_uint8(np.rint(np.asarray(canvas.buffer_rgba())[..., :3] / SHADES) * SHADES)
    with picture_file.replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="png", optimize=True)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Values rounded and clipped to 0 to 255."""
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


class _Sheet:
    """Texts and images with their places, laid out from the top down, which gives the height."""

    def __init__(self, picture: Picture) -> None:
        self.cell = max(max(row.images.shape[1:3]) for row in picture.rows) * ENLARGED / DENSITY
        has_names = any(row.name or row.details for row in picture.rows)
        self.names_width = NAME_WIDTH + GAP if has_names else 0
        self.width = self._left(max(len(row.images) for row in picture.rows)) - GAP + MARGIN
        self.height = float(MARGIN)
        self._words: list[tuple[float, float, str, Font, str]] = []
        self._images: list[tuple[float, float, np.ndarray]] = []
        self._title(picture.title, TITLE)
        self._title(picture.subtitle, SUBTITLE)
        self.height += GAP
        self._column_headings(picture.headings)
        for row in picture.rows:
            self._row(row)
        self.height += MARGIN - GAP

    def figure(self) -> Figure:
        """The texts and images as a figure."""
        width, height = (round(length * DENSITY) for length in (self.width, self.height))
        size = (width / DOTS_PER_INCH, height / DOTS_PER_INCH)
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, facecolor=GROUND)
        for x, y, pixels in self._images:
            bottom = height - round(y * DENSITY) - pixels.shape[0]
            figure.figimage(pixels, round(x * DENSITY), bottom, origin="upper")
        for x, y, line, font, alignment in self._words:
            place, style = (x * DENSITY / width, 1 - y * DENSITY / height), font.properties
            figure.text(*place, line, ha=alignment, va="baseline", color=font.colour, font=style, parse_math=False)
        return figure

    def _left(self, column: int) -> float:
        return MARGIN + self.names_width + column * (self.cell + GAP)

    def _title(self, text: str, font: Font) -> None:
        lines = wrapped(text, self.width - 2 * MARGIN, font)
        self.height = self._write(MARGIN, self.height, lines, font, "left")

    def _column_headings(self, headings: tuple[str, ...]) -> None:
        blocks = [wrapped(heading, self.cell, HEADING) for heading in headings]
        bottom = self.height + max(map(len, blocks), default=0) * HEADING.line
        for column, lines in enumerate(blocks):
            self._write(self._centre(column), bottom - len(lines) * HEADING.line, lines, HEADING, "center")
        self.height = bottom + GAP / 2

    def _row(self, row: Row) -> None:
        top = self.height
        ends = [self._write(MARGIN, top, wrapped(row.name, NAME_WIDTH, NAME), NAME, "left")]
        for detail in row.details:
            ends.append(self._write(MARGIN, ends[-1], wrapped(detail, NAME_WIDTH, DETAIL), DETAIL, "left"))
        for column, image in enumerate(row.images):
            enlarged = image.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
            across, down = ((self.cell - length / DENSITY) / 2 for length in (enlarged.shape[1], enlarged.shape[0]))
            self._images.append((self._left(column) + across, top + down, enlarged))
        for column, caption in enumerate(row.captions):
            lines = wrapped(caption, self.cell, CAPTION)
            ends.append(self._write(self._centre(column), top + self.cell + 2, lines, CAPTION, "center"))
        self.height = max(top + self.cell, *ends) + GAP

    def _centre(self, column: int) -> float:
        return self._left(column) + self.cell / 2

    def _write(self, x: float, top: float, lines: list[str], font: Font, alignment: str) -> float:
        """Place lines of text below `top`; the result is the top of the next line."""
        for number, line in enumerate(lines):
            self._words.append((x, top + number * font.line + font.size, line, font, alignment))
        return top + len(lines) * font.line


def wrapped(text: str, width: float, font: Font) -> list[str]:
    """The lines of a text, broken to `width` after commas if possible, else between words."""
    return [line for paragraph in text.splitlines() for line in _lines(paragraph, (", ", " "), width, font)]


def _lines(text: str, breaks: tuple[str, ...], width: float, font: Font) -> list[str]:
    """Break at the first of `breaks`, pieces that are too wide at the next, and those anywhere."""
    if _width(text, font) <= width:
        return [text]
    if not breaks:
        return _broken(text, width, font)
    mark, *others = breaks
    *heads, tail = text.split(mark)  # a no-break space is not " "
    lines: list[str] = []
    for piece in (*(head + mark.rstrip() for head in heads), tail):
        if lines and _width(f"{lines[-1]} {piece}", font) <= width:
            lines[-1] += f" {piece}"
        else:
            lines += _lines(piece, tuple(others), width, font)
    return lines


def _broken(word: str, width: float, font: Font) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and _width(pieces[-1] + letter, font) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _width(text: str, font: Font) -> float:
    """The width of a text in pixels of the page."""
    return _RULER.get_text_width_height_descent(text, font.properties, ismath=False)[0] / DENSITY


_RULER = RendererAgg(1, 1, DOTS_PER_INCH)
