"""The configurations of a run, fitted to the metadata of its data set."""

from collections.abc import Mapping
from typing import Any

from models.architectures import BUILDERS
from models.config.presets import PRESETS
from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.common.config import as_text, check_read
from pipeline.data_config import DataConfig
from pipeline.datasets import builtin
from pipeline.datasets.description import Description
from pipeline.resolution import SMALLEST, ResolutionSchedule

_MULTIPLE = 2  # of a scaled resolution: pooling halves maps
MIN_STEPS = 8  # an epoch, where a data set is smaller than the batch of a preset


def fitted(
    data: DataConfig, config: TrainConfig, description: Description, recipe: Mapping[str, Any] | None = None
) -> tuple[DataConfig, TrainConfig]:
    """The configurations for a data set; fitting them again changes nothing.

    With one level of labels, two heads become the fine one. The resolutions of a recipe, which are of 32 pixels, are
    scaled to what the network takes of the images; a recipe's batch that is larger than the training split becomes a
    small part of it. `recipe` has the values that nobody chose for this data set; by default they are the preset's.

    Raises:
      errors.BadArgumentError: the data set has no coarse labels to train a head on, `crop_size` is larger than its
        images, resolutions do not end at the size that the network takes, or the network takes one size alone.
    """
    if not description.classes.coarse and config.heads != "fine":
        if config.heads == "coarse":
            raise errors.BadArgumentError(
                f"heads=coarse: {description.dataset} has one level of labels; expected --heads=fine"
            )
        config = config.replace(heads="fine")
    recipe = PRESETS[config.preset] if recipe is None else recipe
    num_train = data.split_sizes(description)["train"]
    if num_train < data.batch_size == recipe.get("batch_size", DataConfig.batch_size):
        data = data.replace(batch_size=max(1, num_train // MIN_STEPS))
    size, usual = data.input_size(description.image_size), recipe.get("resolutions")
    if usual and data.resolutions == usual and usual[-1][0] == builtin.IMAGE_SIZE != size:
        data = data.replace(resolutions=_scaled(usual, size))
    config.network.check_image_size(size)
    sizes = set(ResolutionSchedule.from_shares(data.resolutions, size).sizes)
    if sizes != {size} and not BUILDERS[config.architecture].takes_any_size:
        raise errors.BadArgumentError(
            f"resolutions={as_text(data.resolutions)}: --architecture={config.architecture} takes only {size} x {size} "
            "pixels; leave --resolutions out"
        )
    return data, config


def check_given(flags: Mapping[str, Any], data: DataConfig, config: TrainConfig) -> None:
    """Raise errors.BadArgumentError for a flag of a coarse head that `fitted` has left out."""
    problem = f"{data.shown_name} has one level of labels"
    if flags.get("heads", config.heads) != config.heads:
        raise errors.BadArgumentError(f"heads={flags['heads']}: {problem}; expected --heads={config.heads}")
    check_read(flags, data, config, problem=problem)


def _scaled(resolutions: tuple[tuple[int, float], ...], full_size: int) -> tuple[tuple[int, float], ...]:
    """Resolutions of 32 pixels as the same shares of `full_size`, which is the last one."""
    *early, (_, last_share) = resolutions
    scaled = [
        (max(SMALLEST, size * full_size // builtin.IMAGE_SIZE // _MULTIPLE * _MULTIPLE), share) for size, share in early
    ]
    return (*scaled, (full_size, last_share))
