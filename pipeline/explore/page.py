"""The Markdown page of an exploration, which links its figures."""

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from pipeline.common import errors, files, markdown_table
from pipeline.common.markdown_table import Column, Row
from pipeline.explore.statistics import PARTS, PixelSums, Survey, middle_and_frame

CHANNELS = ("red", "green", "blue")
_ChannelRow = tuple[str, PixelSums, int]  # name of a part, its sums, number of a channel


def markdown(survey: Survey, augmentation: str, seed: int, pictures: Mapping[str, pathlib.Path]) -> str:
    """The text of the page.

    Args:
      survey: the statistics of the data set.
      augmentation: the set of the figure of augmented views.
      seed: the seed of that figure.
      pictures: {name: file} of the figures, which lie beside the page.
    """
    link = {name: f"![{name.replace('_', ' ')}]({path.name})" for name, path in pictures.items()}
    nested = "in exactly one superclass" if survey.is_nested else "**NOT in exactly one superclass**"
    sections = (
        [f"# {survey.title}"],
        ["## Superclasses", f"Every class lies {nested}.", _superclasses(survey), link["samples"]],
        ["## Images per class", *_equality(survey), link["counts"]],
        [_counts("superclass", survey.coarse_names, {part: survey.coarse_counts(part) for part in PARTS})],
        [_counts("class", survey.fine_names, {part: survey.fine_counts(part) for part in PARTS})],
        ["## Channels", _ABOUT_CHANNELS, _channels(survey)],
        ["## Mean image", _ABOUT_MEAN_IMAGES, link["mean_image"], _ABOUT_MIDDLES, _middles(survey)],
        ["## Augmented", f"Originals and views of the set `{augmentation}`, seed {seed}.", link["augmented"]],
    )
    return "\n\n".join(paragraph for section in sections for paragraph in section) + "\n"


def write(path: pathlib.Path, text: str) -> None:
    """Replace the file `path` by the text.

    Raises:
      errors.FailedError: it cannot be written.
    """
    try:
        files.write_text(path, text)
    except OSError as error:
        raise errors.FailedError(f"{path} cannot be written ({error.strerror})") from error


_ABOUT_CHANNELS = (
    "Mean and standard deviation over all pixels, on the scales 0 to 255 and 0 to 1. Train and validation together are "
    "the official training split; pixels of test images are not read."
)
_ABOUT_MEAN_IMAGES = (
    "Where objects are centred, the middle of the mean image differs in colour from its frame; the mean of scenes "
    "changes from top to bottom instead."
)
_ABOUT_MIDDLES = (
    "Brightness (mean of the channels, 0 to 255) of the mean training image in the middle quarter of its area, in the "
    "frame around it, and their difference. An object as bright as its background shows in the figure only."
)


def _superclasses(survey: Survey) -> str:
    columns: list[Column[tuple[int, Sequence[int]]]] = [
        Column("superclass", lambda item: survey.coarse_names[item[0]]),
        Column("classes", lambda item: ", ".join(survey.fine_names[fine] for fine in item[1])),
    ]
    return _table(columns, survey.members.items())


def _equality(survey: Survey) -> Iterator[str]:
    """A sentence for each label: the images of each class in each part, or the fewest and the most."""
    for kind, names, counts_of in (
        ("classes", survey.fine_names, survey.fine_counts),
        ("superclasses", survey.coarse_names, survey.coarse_counts),
    ):
        spreads = ", ".join(f"{part}: {_spread(names, counts_of(part))}" for part in PARTS)
        yield f"The {len(names)} {kind}: {spreads}."


def _spread(names: tuple[str, ...], counts: np.ndarray) -> str:
    low, high = int(counts.argmin()), int(counts.argmax())
    if counts[low] == counts[high]:
        return f"{counts[low]:,} images each"
    return f"**NOT equal**, {counts[low]:,} ({names[low]}) to {counts[high]:,} ({names[high]})"


def _counts(heading: str, names: tuple[str, ...], counts: Mapping[str, np.ndarray]) -> str:
    """Images in each part, a row per label, and their sums in the last row."""
    totals = {part: np.append(of_part, of_part.sum()) for part, of_part in counts.items()}

    def count_in(part: str) -> Column[int]:
        return Column(part, lambda label: f"{totals[part][label]:,}", is_number=True)

    columns = [Column[int](heading, lambda label: (*names, "all")[label]), *map(count_in, counts)]
    return _table(columns, range(len(names) + 1))


def _channels(survey: Survey) -> str:
    train, validation = survey.pixels["train"], survey.pixels["validation"]
    parts = {"train": train, "validation": validation, "both": train + validation}
    rows = [(name, part, channel) for name, part in parts.items() if part.num_images for channel in range(3)]
    return _table(_CHANNEL_COLUMNS, rows)


def _channel_number(heading: str, value: Callable[[PixelSums], np.ndarray], scale: float) -> Column[_ChannelRow]:
    digits = 3 if scale == 1 else 4
    return Column(heading, lambda row: f"{value(row[1])[row[2]] / scale:.{digits}f}", is_number=True)


_CHANNEL_COLUMNS: list[Column[_ChannelRow]] = [
    Column("images", lambda row: f"{row[0]}, {row[1].num_images:,}"),
    Column("channel", lambda row: CHANNELS[row[2]]),
    _channel_number("mean", lambda part: part.channel_mean, 1),
    _channel_number("std", lambda part: part.channel_std, 1),
    _channel_number("mean / 255", lambda part: part.channel_mean, 255),
    _channel_number("std / 255", lambda part: part.channel_std, 255),
]


def _middles(survey: Survey) -> str:
    pixels = survey.pixels["train"]
    images = {"all": pixels.mean_image, **dict(zip(survey.coarse_names, pixels.coarse_mean_images, strict=True))}
    rows = [(name, *middle_and_frame(image)) for name, image in images.items()]
    columns: list[Column[tuple[str, float, float]]] = [
        Column("superclass", lambda row: row[0]),
        Column("middle", lambda row: f"{row[1]:.1f}", is_number=True),
        Column("frame", lambda row: f"{row[2]:.1f}", is_number=True),
        Column("difference", lambda row: f"{row[1] - row[2]:+.1f}", is_number=True),
    ]
    return _table(columns, rows)


def _table(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> str:
    return "\n".join(markdown_table.lines(columns, rows))
