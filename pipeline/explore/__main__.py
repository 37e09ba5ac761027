"""Look at a data set before training on it: tables as Markdown, pictures as PNG.

    python -m pipeline.explore --out=exploration

leaves explore.md (the superclasses, images per class in each split, means and deviations of channels, where the mean
image is brighter), which links samples.png, counts.png, mean_image.png and augmented.png. Each split is read once, as
a stream: memory does not grow with it. Of test images only the labels are read.
"""

import dataclasses
import os
import pathlib

from pipeline import prepare
from pipeline.augment.sets import SETS
from pipeline.common import app, config, errors
from pipeline.common.config import setting
from pipeline.data_config import DataConfig, SourceConfig
from pipeline.gallery import __main__ as gallery

PAGE = "explore.md"
PICTURES = ("samples", "counts", "mean_image", "augmented")


@dataclasses.dataclass(frozen=True)
class ExploreConfig(SourceConfig):
    """What is looked at, and where the findings go."""

    out: str = setting("", "folder to write into, such as exploration; it is made")
    augmentation: str = setting("study", "set of random transforms to show beside originals", choices=tuple(SETS))
    seed: int = setting(0, "which classes are shown augmented, and what the transforms draw", low=0)
    num_validation: int = setting(
        DataConfig.num_validation, "examples held out of the training split, as many of each class", low=0
    )


def main() -> None:
    """Explore the data set that the flags name."""
    explored = config.build(ExploreConfig, config.given_flags())
    paths = picture_paths(explored.out)
    explored = dataclasses.replace(explored, dataset=prepare.prepare(explored))
    data = config.build(DataConfig, explored.as_dict())
    app.load_tensorflow()
    import tensorflow as tf

    from pipeline.explore import count_plots, pictures, statistics
    from pipeline.explore import page as explore_page
    from pipeline.gallery import image_grid

    tf.config.set_visible_devices([], "GPU")  # for sums over small images; what trains there keeps the memory
    survey = statistics.survey(data)
    drawn = {
        "samples": image_grid.draw(pictures.samples(data, survey)),
        "counts": count_plots.draw(survey),
        "mean_image": image_grid.draw(pictures.mean_images(survey)),
        "augmented": image_grid.draw(pictures.augmented(data, survey, explored.augmentation, explored.seed)),
    }
    for name, path in paths.items():
        image_grid.write(path, drawn[name])
    page = pathlib.Path(explored.out).expanduser() / PAGE
    explore_page.write(page, explore_page.markdown(survey, explored.augmentation, explored.seed, paths))
    print(f"{survey.title}\nwritten: {page}")


def picture_paths(out: str) -> dict[str, pathlib.Path]:
    """Where each of PICTURES goes, seen to be possible before there is any work.

    Raises:
      errors.BadArgumentError: `out` is missing, or nothing can be written there.
    """
    if not out:
        raise errors.BadArgumentError("out is missing: expected a folder to write into, such as --out=exploration")
    return {name: gallery.picture_path(os.path.join(out, f"{name}.png")) for name in PICTURES}


def run() -> None:
    """The console script `cifar-explore`."""
    config.define_flags(ExploreConfig)
    app.run(main)


if __name__ == "__main__":
    run()
