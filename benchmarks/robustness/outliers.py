"""Images that are not of the data set: generated ones, noise, or those of a folder."""

import functools
import itertools
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from pipeline.common import errors, paths, seeds
from pipeline.common.numbers import counted
from pipeline.datasets import images
from pipeline.datasets.folder import walk
from pipeline.datasets.resizing import resize

FOLDER = "folder:"
NORMAL_MEAN, NORMAL_DEVIATION = 127.5, 63.75  # half and a quarter of the range
Images = Iterator[np.ndarray]  # uint8 [S, S, 3] each


def check(names: list[str]) -> None:
    """Check the values of --ood.

    Raises:
      errors.BadArgumentError: a name is unknown or there twice, also as it is shown, or a folder has no images.
    """
    for name in names:
        if name.startswith(FOLDER):
            _listed(name)
        elif name not in SOURCES:
            raise errors.BadArgumentError(f"ood={name}: expected some of {', '.join(SOURCES)} and {FOLDER}PATH")
    if len(set(names)) < len(names):
        raise errors.BadArgumentError(f"ood={','.join(names)}: expected each one once")
    shown = [shown_name(name) for name in names]
    if alike := sorted({name for name in shown if shown.count(name) > 1}):
        raise errors.BadArgumentError(
            f"ood={','.join(names)}: {alike[0]} would be the name of both in the report; "
            "expected folders of different names: rename one, or measure them in two calls"
        )


def shown_name(name: str) -> str:
    """The name in a report, without the path of a machine: `folder:/a/b` is `folder:b`."""
    return FOLDER + paths.local(name.removeprefix(FOLDER), "ood").name if name.startswith(FOLDER) else name


def read(name: str, size: int, count: int) -> Images:
    """At most `count` images of `size` x `size` pixels; `name` is one of --ood.

    Those of a folder are spread evenly over its files by name. Files that cannot be decoded are left out and counted on
    stderr.

    Raises:
      errors.FailedError: no file of a folder can be decoded.
    """
    source = SOURCES[name] if name in SOURCES else functools.partial(_of_folder, name, count)
    return itertools.islice(source(size), count)


def _shapes100(size: int) -> Images:
    from pipeline.datasets.shapes100 import builder

    for chunk in itertools.count():
        for image in builder.draw_chunk("test", chunk)[1]:
            yield resize(image, size)


def _uniform_noise(size: int) -> Images:
    generator = _generator("uniform_noise")
    while True:
        yield generator.integers(0, 256, (size, size, 3), dtype=np.uint8)


def _normal_noise(size: int) -> Images:
    generator = _generator("normal_noise")
    while True:
        values = generator.normal(NORMAL_MEAN, NORMAL_DEVIATION, (size, size, 3))
        yield np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _of_folder(name: str, count: int, size: int) -> Images:
    root, listed = _listed(name)
    chosen = [listed[place * len(listed) // min(count, len(listed))] for place in range(min(count, len(listed)))]
    problems = []
    for path in chosen:
        try:
            yield resize(images.decode(images.read(root / path)).pixels, size)
        except images.ImageError as error:
            problems.append(f"{path} {error}")
    if problems:
        print(f"{counted(len(problems), 'file')} of {shown_name(name)} left out: {problems[0]}", file=sys.stderr)
    if len(problems) == len(chosen):
        raise errors.FailedError(f"ood={name}: no image can be decoded: {problems[0]}")


def _listed(name: str) -> tuple[pathlib.Path, tuple[str, ...]]:
    root = paths.local(name.removeprefix(FOLDER), "ood")
    try:
        listed = walk.walk(root).images
    except OSError as error:
        raise errors.BadArgumentError(
            f"ood={name}: cannot be read ({error.strerror}); expected {FOLDER}PATH"
        ) from error
    if not listed:
        raise errors.BadArgumentError(f"ood={name}: expected a folder of images, found none")
    return root, listed


def _generator(name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([word % 2**32 for word in seeds.derive(0, "outliers", name)]))


SOURCES: Mapping[str, Callable[[int], Images]] = {
    "shapes100": _shapes100,
    "uniform_noise": _uniform_noise,
    "normal_noise": _normal_noise,
}
