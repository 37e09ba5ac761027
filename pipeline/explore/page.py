"""What was found, as a Markdown page that links the pictures."""

import pathlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from pipeline.common import errors, files, markdown_table
from pipeline.explore.statistics import PARTS, PixelSums, Survey, middle_and_frame

CHANNELS = ("red", "green", "blue")


def markdown(survey: Survey, augmentation: str, seed: int, pictures: Mapping[str, pathlib.Path]) -> str:
    """The page.

    Args:
      survey: what was found.
      augmentation: the set that the picture of augmented views shows.
      seed: what they were drawn with.
      pictures: their files, beside the page, by name.
    """
    link = {name: f"![{name.replace('_', ' ')}]({path.name})" for name, path in pictures.items()}
    nested = "in exactly one superclass" if survey.is_nested else "**NOT in exactly one superclass**"
    sections = (
        [f"# {survey.title}"],
        ["## Superclasses", f"Every class lies {nested}.", _superclasses(survey), link["samples"]],
        ["## Images per class", *_equality(survey), link["counts"]],
        [_counts("superclass", survey.coarse_names, {part: survey.coarse_counts(part) for part in PARTS})],
        [_counts("class", survey.fine_names, {part: survey.fine_counts(part) for part in PARTS})],
        ["## Channels", _WHAT_CHANNELS_ARE, _channels(survey)],
        ["## Mean image", _WHAT_MEANS_SHOW, link["mean_image"], _WHAT_MIDDLES_ARE, _middles(survey)],
        ["## Augmented", f"Originals beside views of the set `{augmentation}`, seed {seed}.", link["augmented"]],
    )
    return "\n\n".join(paragraph for section in sections for paragraph in section) + "\n"


def write(path: pathlib.Path, text: str) -> None:
    """Replace `path` by the text, in one rename.

    Raises:
      errors.FailedError: it cannot be written.
    """
    try:
        files.write_text(path, text)
    except OSError as error:
        raise errors.FailedError(f"{path} cannot be written ({error.strerror})") from error


_WHAT_CHANNELS_ARE = (
    "Mean and standard deviation over every pixel, of 255 and of 1. Train and validation together are the official "
    "training split; test images are not looked at."
)
_WHAT_MEANS_SHOW = (
    "Where objects stand in the middle of their images, the mean image has another colour there than around; the mean "
    "of scenes changes from top to bottom instead."
)
_WHAT_MIDDLES_ARE = (
    "The same in figures: brightness (the mean of the channels, of 255) of the middle quarter of the area, of the "
    "frame around it, and their difference; training images. An object as bright as what is around it "
    "shows in the picture alone."
)


def _superclasses(survey: Survey) -> str:
    rows = (
        (survey.coarse_names[coarse], ", ".join(survey.fine_names[fine] for fine in members))
        for coarse, members in survey.members.items()
    )
    return _table(("superclass", "its classes"), rows)


def _equality(survey: Survey) -> Iterator[str]:
    """A sentence for each label and part: as many of each, or the fewest and the most."""
    for kind, names, counts_of in (
        ("classes", survey.fine_names, survey.fine_counts),
        ("superclasses", survey.coarse_names, survey.coarse_counts),
    ):
        told = ", ".join(f"{part}: {_spread(names, counts_of(part))}" for part in PARTS)
        yield f"The {len(names)} {kind}: {told}."


def _spread(names: tuple[str, ...], counts: np.ndarray) -> str:
    low, high = int(counts.argmin()), int(counts.argmax())
    if counts[low] == counts[high]:
        return f"{counts[low]:,} images each"
    return f"**NOT equal**, {counts[low]:,} ({names[low]}) to {counts[high]:,} ({names[high]})"


def _counts(heading: str, names: tuple[str, ...], counts: Mapping[str, np.ndarray]) -> str:
    rows = ((name, *(f"{of_part[number]:,}" for of_part in counts.values())) for number, name in enumerate(names))
    total = ("all", *(f"{of_part.sum():,}" for of_part in counts.values()))
    return _table((heading, *counts), (*rows, total))


def _channels(survey: Survey) -> str:
    train, validation = survey.pixels["train"], survey.pixels["validation"]
    parts = {"train": train, "validation": validation, "both": train + validation}
    headings = ("images", "channel", "mean", "deviation", "mean of 1", "deviation of 1")
    return _table(headings, (row for name, part in parts.items() if part.num_images for row in _of_part(name, part)))


def _of_part(name: str, part: PixelSums) -> Iterator[tuple[str, ...]]:
    for channel, mean, deviation in zip(CHANNELS, part.channel_mean, part.channel_deviation, strict=True):
        of_one = (f"{mean / 255:.4f}", f"{deviation / 255:.4f}")
        yield (f"{name}, {part.num_images:,}", channel, f"{mean:.3f}", f"{deviation:.3f}", *of_one)


def _middles(survey: Survey) -> str:
    pixels = survey.pixels["train"]
    images = {"all": pixels.mean_image, **dict(zip(survey.coarse_names, pixels.coarse_mean_images, strict=True))}

    def row(name: str, image: np.ndarray) -> tuple[str, ...]:
        middle, frame = middle_and_frame(image)
        return name, f"{middle:.1f}", f"{frame:.1f}", f"{middle - frame:+.1f}"

    return _table(("superclass", "middle", "frame", "difference"), (row(*item) for item in images.items()))


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table: words to the left, figures to the right."""
    rows = tuple(rows)
    are_figures = [all(_is_figure(row[column]) for row in rows) for column in range(len(headings))]
    rule = tuple("---:" if figures else "---" for figures in are_figures)
    return "\n".join(map(markdown_table.row, (headings, rule, *rows)))


def _is_figure(cell: str) -> bool:
    return cell.replace(",", "").lstrip("+-").replace(".", "", 1).isdigit()
