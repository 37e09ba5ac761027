"""Explore a data set before training on it: tables as Markdown, figures as PNG.

    python -m pipeline.explore --out=exploration

Writes explore.md with its figures samples.png, counts.png, mean_image.png and augmented.png. The page has the
superclasses, the number of images per class in each split, channel statistics and the brightness of the mean images.
Each split is streamed once, so memory does not grow with its size. Of the test split only the labels are read.
"""

import dataclasses
import os
import pathlib

from pipeline import prepare
from pipeline.augment.sets import SETS
from pipeline.common import app, config, errors, progress
from pipeline.common.config import setting
from pipeline.data_config import DataConfig, SourceConfig
from pipeline.datasets import prepared
from pipeline.gallery import picture_file

PAGE = "explore.md"
PICTURES = ("samples", "counts", "mean_image", "augmented")


@dataclasses.dataclass(frozen=True)
class ExploreConfig(SourceConfig):
    """The data set to explore, and the folder of the page."""

    out: str = setting("", "output folder, such as exploration; created where missing", is_path=True)
    augmentation: str = setting("original", "augmentation set to show next to the originals", choices=tuple(SETS))
    seed: int = setting(0, "random seed of the classes shown and of the transforms", low=0)
    num_validation: int = setting(
        DataConfig.num_validation,
        "number of training examples held out for validation, stratified by class",
        low=0,
    )


flags = app.Flags(ExploreConfig)


def main() -> None:
    """Explore the data set that the flags name."""
    given = config.given_flags()
    explored = config.build(ExploreConfig, given)
    paths = picture_paths(explored.out)
    data = config.build(DataConfig, given)
    if known := prepared.describe(data.data_dir, data.prepared_name):
        data.split_sizes(known)
    data = data.replace(dataset=prepare.prepare(data))
    app.load_tensorflow()
    import tensorflow as tf

    from pipeline.explore import count_plots, page, pictures, statistics
    from pipeline.gallery import image_grid

    tf.config.set_visible_devices([], "GPU")  # not needed for sums over small images; leave its memory to trainings
    survey = statistics.survey(data)
    draw = {
        "samples": lambda: image_grid.draw(pictures.samples(data, survey)),
        "counts": lambda: count_plots.draw(survey),
        "mean_image": lambda: image_grid.draw(pictures.mean_images(survey)),
        "augmented": lambda: image_grid.draw(pictures.augmented(data, survey, explored.augmentation, explored.seed)),
    }
    for name, path in progress.track(paths.items(), "drawing the figures", len(paths), "figures"):
        image_grid.write(path, draw[name]())
    written = pathlib.Path(explored.out) / PAGE
    page.write(written, page.markdown(survey, explored.augmentation, explored.seed, paths))
    print(f"{survey.title}\nwritten: {written}")


def picture_paths(out: str) -> dict[str, pathlib.Path]:
    """The file of each of PICTURES; BadArgumentError where `out` is missing or nothing can be written there."""
    if not out:
        raise errors.BadArgumentError("out is missing: expected an output folder, such as --out=exploration")
    return {name: picture_file.picture_path(os.path.join(out, f"{name}.png")) for name in PICTURES}


def run() -> None:
    """The console script `cifar-explore`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
