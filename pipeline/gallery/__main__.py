"""Draw what an augmentation set does to training images, before training with it.

    python -m pipeline.gallery --augmentation=original --out=original.png

The first row shows the originals. Each further row shows one transform, with its random parameters below each image.
The last row applies all transforms with these parameters, as a training step does. The same flags give the same
picture. Test images are never shown.
"""

import dataclasses

from pipeline import prepare
from pipeline.augment.sets import SETS
from pipeline.common import app, config, progress
from pipeline.common.config import setting
from pipeline.data_config import SourceConfig
from pipeline.gallery import picture_file


@dataclasses.dataclass(frozen=True)
class GalleryConfig(SourceConfig):
    """The augmentation set to show, and the file of the picture."""

    augmentation: str = setting("flip_shift", "augmentation set to show", choices=tuple(SETS))
    out: str = setting("", "output PNG file, such as gallery.png; its folder is created where missing", is_path=True)
    seed: int = setting(0, "random seed of the classes shown and of the transforms", low=0)
    columns: int = setting(7, "number of images per row, each of a different class", low=1, high=20)


flags = app.Flags(GalleryConfig)


def main() -> None:
    """Draw the picture of the flags."""
    shown = config.build(GalleryConfig, config.given_flags())
    out = picture_file.picture_path(shown.out)
    shown = dataclasses.replace(shown, dataset=prepare.prepare(shown))
    app.load_tensorflow()
    import tensorflow as tf

    from pipeline.gallery import image_grid, rows

    tf.config.set_visible_devices([], "GPU")  # not needed for a few small images; leave its memory to trainings
    with progress.task(f"augmenting and drawing the images of {out.name}"):
        image_grid.write(out, image_grid.draw(rows.build(shown, shown.augmentation, shown.seed, shown.columns)))
    print(f"written: {out}")


def run() -> None:
    """The console script `cifar-gallery`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
