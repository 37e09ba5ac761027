"""The Markdown page of an exploration, which links its figures."""

import operator
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column
from pipeline.common.numbers import counted
from pipeline.explore.statistics import PARTS, Survey, middle_and_frame
from pipeline.gallery import picture_file

MAX_ROWS = 1000  # of a table of classes
CHANNELS = ("red", "green", "blue")


def write(path: pathlib.Path, text: str) -> None:
    """Replace the file `path` by the text, as `picture_file.replacing` does."""
    with picture_file.replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def markdown(survey: Survey, augmentation: str, seed: int, pictures: Mapping[str, pathlib.Path]) -> str:
    """The text of the page; `pictures` are {name: file} of the figures, which lie beside it."""
    link = {name: f"![{name.replace('_', ' ')}]({path.name})" for name, path in pictures.items()}
    nested = "in exactly one superclass" if survey.is_nested else "**NOT in exactly one superclass**"
    of_superclasses = ["## Superclasses", f"Every class lies {nested}.", _superclasses(survey)]
    counts = _counts("superclass", survey.coarse_names, {part: survey.coarse_counts(part) for part in PARTS})
    sections = (
        [f"# {survey.title}"],
        [*(of_superclasses if survey.has_superclasses else ["## Samples"]), link["samples"]],
        ["## Images per class", *_equality(survey), link["counts"]],
        [counts] if survey.has_superclasses else [],
        [_counts("class", survey.fine_names, {part: survey.fine_counts(part) for part in PARTS})],
        ["## Channels", _ABOUT_CHANNELS, _channels(survey)],
        ["## Mean image", _ABOUT_MEAN_IMAGES, link["mean_image"], _ABOUT_MIDDLES, _middles(survey)],
        ["## Augmented", f"Originals and views of the set `{augmentation}`, seed {seed}.", link["augmented"]],
    )
    return "\n\n".join(paragraph for section in sections for paragraph in section) + "\n"


_ABOUT_CHANNELS = (
    "Mean and standard deviation over all pixels, on the scales 0 to 255 and 0 to 1. *Both* is train and validation "
    "together; pixels of test images are not read."
)
_ABOUT_MEAN_IMAGES = (
    "Where objects are centered, the middle of the mean image differs in color from its frame; the mean of scenes "
    "changes from top to bottom instead."
)
_ABOUT_MIDDLES = (
    "Brightness (mean of the channels, 0 to 255) of the mean training image in the middle quarter of its area, in the "
    "frame around it, and their difference. An object as bright as its background shows in the figure only."
)


def _superclasses(survey: Survey) -> str:
    rows = [
        (survey.coarse_names[coarse], ", ".join(survey.fine_names[fine] for fine in members))
        for coarse, members in survey.members.items()
    ]
    return _table(("superclass", "classes"), rows, num_texts=2)


def _equality(survey: Survey) -> Iterator[str]:
    """A sentence for each label: the images of each class in each part, or the fewest and the most."""
    kinds = [("class", survey.fine_names, survey.fine_counts)]
    if survey.has_superclasses:
        kinds.append(("superclass", survey.coarse_names, survey.coarse_counts))
    for kind, names, counts_of in kinds:
        spreads = ", ".join(f"{part}: {_spread(names, counts_of(part))}" for part in PARTS)
        yield f"The {counted(len(names), kind)}: {spreads}."


def _spread(names: tuple[str, ...], counts: np.ndarray) -> str:
    low, high = int(counts.argmin()), int(counts.argmax())
    if counts[low] == counts[high]:
        return f"{counted(int(counts[low]), 'image')} each"
    return f"**NOT equal**, {counts[low]:,} ({names[low]}) to {counts[high]:,} ({names[high]})"


def _counts(heading: str, names: tuple[str, ...], counts: Mapping[str, np.ndarray]) -> str:
    """Images in each part, a row per label, and their sums in the last row."""
    rest = [f"{len(names) - MAX_ROWS:,} more"] if len(names) > MAX_ROWS else []

    def column(of_part: np.ndarray) -> list[str]:
        sums = [of_part[MAX_ROWS:].sum()] if rest else []
        return [f"{count:,}" for count in (*of_part[:MAX_ROWS], *sums, of_part.sum())]

    columns = map(column, counts.values())
    return _table((heading, *counts), zip((*names[:MAX_ROWS], *rest, "all"), *columns, strict=True))


def _channels(survey: Survey) -> str:
    train, validation = survey.pixels["train"], survey.pixels["validation"]
    rows = [
        (f"{name}, {part.num_images:,}", channel, f"{mean:.3f}", f"{std:.3f}", f"{mean / 255:.4f}", f"{std / 255:.4f}")
        for name, part in {"train": train, "validation": validation, "both": train + validation}.items()
        if part.num_images
        for channel, mean, std in zip(CHANNELS, part.channel_mean, part.channel_std, strict=True)
    ]
    return _table(("images", "channel", "mean", "std", "mean / 255", "std / 255"), rows, num_texts=2)


def _middles(survey: Survey) -> str:
    pixels = survey.pixels["train"]
    images = {"all": pixels.mean_image}
    if survey.has_superclasses:
        images |= dict(zip(survey.coarse_names, pixels.coarse_mean_images, strict=True))
    rows = [
        (name, f"{middle:.1f}", f"{frame:.1f}", f"{middle - frame:+.1f}")
        for name, (middle, frame) in zip(images, map(middle_and_frame, images.values()), strict=True)
    ]
    return _table(("superclass" if survey.has_superclasses else "classes", "middle", "frame", "difference"), rows)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], num_texts: int = 1) -> str:
    """Markdown; the columns after the first `num_texts` hold numbers, aligned to the right."""
    columns: list[Column[Sequence[str]]] = [
        Column(heading, operator.itemgetter(place), is_number=place >= num_texts)
        for place, heading in enumerate(headings)
    ]
    return "\n".join(markdown_table.lines(columns, rows))
