"""A picture of what a set of transforms does to training images, to judge by eye before training on it.

    python -m pipeline.gallery --augmentation=study --out=study.png

A row of originals, a row for each transform alone with what it drew for each image, and a last row of all together, by
the same draws, as a training step sees them. The same flags give the same picture. Test images are never shown.
"""

import dataclasses
import pathlib
import tempfile

from pipeline import prepare
from pipeline.augment.sets import SETS
from pipeline.common import app, config, errors
from pipeline.common.config import setting
from pipeline.data_config import SourceConfig


@dataclasses.dataclass(frozen=True)
class GalleryConfig(SourceConfig):
    """What is shown, and where the picture goes."""

    augmentation: str = setting("flip_shift", "set of random transforms to show", choices=tuple(SETS))
    out: str = setting("", "PNG file to write, such as study.png; its folder is made")
    seed: int = setting(0, "which classes are shown, and what the transforms draw", low=0)
    columns: int = setting(7, "images a row, each of another class", low=1, high=20)


def main() -> None:
    """Draw the picture that the flags name."""
    shown = config.build(GalleryConfig, config.given_flags())
    out = picture_path(shown.out)
    shown = dataclasses.replace(shown, dataset=prepare.prepare(shown))
    app.load_tensorflow()
    import tensorflow as tf

    from pipeline.gallery import image_grid, rows

    tf.config.set_visible_devices([], "GPU")  # for a few small images; what trains there keeps the memory
    picture = rows.build(shown, shown.augmentation, shown.seed, shown.columns)
    image_grid.write(out, image_grid.draw(picture))
    print(f"written: {out}")


def picture_path(out: str) -> pathlib.Path:
    """Where the picture goes, seen to be possible before there is any work.

    Raises:
      errors.BadArgumentError: it is no PNG file, or there can be none.
    """
    if not out:
        raise errors.BadArgumentError("out is missing: expected a PNG file to write, such as --out=study.png")
    path = pathlib.Path(out).expanduser()
    if path.suffix.lower() != ".png":
        raise errors.BadArgumentError(f"out={out}: expected a name that ends in .png")
    if path.is_dir():
        raise errors.BadArgumentError(f"out={out}: expected a file, found a folder")
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if not _can_hold(nearest):
        raise errors.BadArgumentError(f"out={out}: nothing can be written in {nearest}; choose another --out")
    return path


def _can_hold(folder: pathlib.Path) -> bool:
    """Whether a file can be made there; permissions alone say yes of /proc, and to root of everything."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def run() -> None:
    """The command line."""
    config.define_flags(GalleryConfig)
    app.run(main)


if __name__ == "__main__":
    run()
