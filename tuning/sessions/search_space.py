"""Search spaces: pure functions from hyperparameters to fields of a configuration.

    def my_space(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        return {"fine_dropout": hp.Float("fine_dropout", 0.0, 0.5, step=0.1), ...}

The keys are fields of DataConfig and TrainConfig, which `models.train --help` lists as flags. A space may ask for a
hyperparameter inside an `if` on another one's value, or in `hp.conditional_scope`: only the trials that it is asked for
in have it. What a space asks for depends on hyperparameters alone, and one name always has one range. A file
(`--space=FILE.py`) defines a new space: `space_file.py`.
"""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from models.architectures.last_block import LastBlock
from models.config import saved
from models.config.network import TRUNK_FIELDS
from models.config.renamed import renamed
from models.optimizers.config import OPTIMIZERS
from models.runs.folder import RunFolder
from pipeline.common import errors, paths
from pipeline.common.config import nearest
from pipeline.data_config import SPLIT_FIELDS
from tuning.sessions import space_file
from tuning.sessions.space_file import Choose, Values

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

# The learning rate of each optimizer for these networks, in units of a space's relative rate. Without them an
# activation x optimizer table would mostly show whose customary rate is far from the others'.
RATE_OF = {
    "sgd": 0.1,
    "muon": 1.0,
    "adam": 1e-3,
    "rmsprop": 1e-3,
    "adagrad": 1e-2,
    "adadelta": 1.0,
    "adamax": 2e-3,
    "nadam": 1e-3,
}
FULL_RATE_OF = {**RATE_OF, "sgd": 1.0}  # its scaled-down logits need ten times SGD's rate
ORIGINAL_OPTIMIZERS = tuple(name for name in OPTIMIZERS if name != "muon")

# The fields that a run takes from the run whose trunk it uses.
OF_A_TRUNK = ("preset", "heads", *TRUNK_FIELDS, *SPLIT_FIELDS)


@dataclasses.dataclass(frozen=True)
class Space:
    """A named space: a trial has the fields that `choose` returns for its hyperparameters, and those of `base`."""

    name: str
    choose: Choose
    base: Mapping[str, Any]  # the fields that all trials share, `preset` among them
    has_frozen_trunk: bool = False  # whether trials train only the heads, on the trunk of a run
    path: pathlib.Path | None = None  # of the file that defines it

    def where(self, error: BaseException) -> str:
        """` (FILE, line N)`: the last line of the space's file, or of one beside it, that led to an error."""
        return space_file.where(error, self.path) if self.path else ""


def heads(hp: "HyperParameters") -> Values:
    """As `dense_heads`; the last block, which has most weights, is frozen, trained for both heads, or once per head."""
    last_block = hp.Choice("last_block", ["frozen", "shared", "separate"])
    values = {"unfreeze_last_block": last_block != "frozen", "separate_blocks": last_block == "separate"}
    return {**dense_heads(hp), **values}


def fine_head(hp: "HyperParameters") -> Values:
    """As `heads`, of one head."""
    return {**dense_fine_head(hp), "unfreeze_last_block": hp.Boolean("unfreeze_last_block")}


def heads_with_blocks(hp: "HyperParameters") -> Values:
    """As `heads`, on a trunk with a last block per head."""
    return {**dense_heads(hp), "unfreeze_last_block": hp.Choice("last_block", ["frozen", "separate"]) != "frozen"}


def dense_heads(hp: "HyperParameters") -> Values:
    """Shape, regularization and learning rate of both heads, on frozen features."""
    values = {**one_head(hp, "fine"), **one_head(hp, "coarse")}
    values["coarse_loss_weight"] = hp.Choice("coarse_loss_weight", [0.1, 0.25, 0.5, 1.0])
    values["coarse_source"] = hp.Choice("coarse_source", ["summed", "head"])
    return {**values, **_rates(hp)}


def dense_fine_head(hp: "HyperParameters") -> Values:
    """As `dense_heads`, of one head."""
    return {**one_head(hp, "fine"), **_rates(hp)}


def one_head(hp: "HyperParameters", name: str) -> Values:
    """Shape and regularization of the head of a label, "fine" or "coarse"."""
    return {
        f"{name}_hidden_layers": hp.Int(f"{name}_hidden_layers", 0, 2),
        f"{name}_hidden_units": hp.Choice(f"{name}_hidden_units", [128, 256, 512]),
        f"{name}_dropout": hp.Float(f"{name}_dropout", 0.0, 0.5, step=0.1),
        f"{name}_l2": hp.Choice(f"{name}_l2", [0.0, 1e-5, 1e-4, 1e-3]),
        f"{name}_label_smoothing": hp.Float(f"{name}_label_smoothing", 0.0, 0.3, step=0.05),
    }


def _rates(hp: "HyperParameters") -> Values:
    return {
        "learning_rate": hp.Float("learning_rate", 0.1, 3.0, sampling="log"),
        "weight_decay": hp.Choice("weight_decay", [0.0, 1e-3, 3e-3, 1e-2]),
    }


def original(hp: "HyperParameters") -> Values:
    """What the original study tuned by hand in its CNN: activation, optimizer, pooling, padding, regularization."""
    optimizer = hp.Choice("optimizer", list(ORIGINAL_OPTIMIZERS))
    return {
        "optimizer": optimizer,
        "learning_rate": RATE_OF[optimizer] * hp.Choice("relative_learning_rate", [0.3, 1.0, 3.0]),
        "activation": hp.Choice("activation", ["relu", "selu", "elu", "tanh", "leaky_relu"]),
        "pooling": hp.Choice("pooling", ["max", "average"]),
        "padding": hp.Choice("padding", ["same", "valid"]),
        "batch_norm": hp.Boolean("batch_norm"),
        "dropout": hp.Float("dropout", 0.0, 0.4, step=0.1),
        "l2": hp.Choice("l2", [0.0, 1e-4, 1e-3]),
        "batch_size": hp.Choice("batch_size", [64, 128, 256]),
    }


def full(hp: "HyperParameters") -> Values:
    """Heads, last blocks, activation, optimizer, rates, batch size, augmentation and precision of a whole network."""
    optimizer = hp.Choice("optimizer", list(OPTIMIZERS))
    values = dense_heads(hp)
    return {
        **values,
        "optimizer": optimizer,
        "learning_rate": FULL_RATE_OF[optimizer] * values["learning_rate"],
        "separate_blocks": hp.Boolean("separate_blocks"),
        **_network(hp),
    }


def full_with_fine_head(hp: "HyperParameters") -> Values:
    """As `full`, of one head."""
    optimizer = hp.Choice("optimizer", list(OPTIMIZERS))
    rates = _rates(hp)
    rates["learning_rate"] *= FULL_RATE_OF[optimizer]
    return {**one_head(hp, "fine"), "optimizer": optimizer, **rates, **_network(hp)}


def _network(hp: "HyperParameters") -> Values:
    return {
        "activation": hp.Choice("activation", ["silu", "gelu", "relu"]),
        "batch_size": hp.Choice("batch_size", [256, 384, 512, 1024]),
        "augmentation": hp.Choice("augmentation", ["alternating_flip_shift", "flip_crop", "flip_crop_cutout"]),
        "precision": hp.Choice("precision", ["auto", "float32"]),
    }


# Muon trains the last block's kernels, and Nesterov SGD the dense layers.
_HEADS_BASE = {"preset": "tiny", "optimizer": "muon", "momentum": 0.9, "freeze_trunk": True}
SPACES = {
    space.name: space
    for space in (
        Space("heads", heads, _HEADS_BASE, has_frozen_trunk=True),
        Space("original", original, {"preset": "original_cnn"}),
        Space("full", full, {"preset": "tiny"}),
    )
}


_OF_ONE_LEVEL: dict[Choose, Choose] = {heads: fine_head, dense_heads: dense_fine_head, full: full_with_fine_head}


def for_levels(space: Space, levels: Collection[str]) -> Space:
    """The space for a data set that has these levels of labels, "fine" and perhaps "coarse"."""
    if "coarse" in levels:
        return space
    choose = _OF_ONE_LEVEL.get(space.choose, space.choose)
    return dataclasses.replace(space, base={**space.base, "heads": "fine"}, choose=choose)


def on_trunk(space: Space, run_dir: str) -> Space:
    """The space on the trunk of a finished run, with its network and its held-out images.

    Raises:
      errors.BadArgumentError: the space trains whole networks, or the folder is not a run folder.
      errors.FailedError: the run has not ended.
    """
    if not space.has_frozen_trunk:
        raise errors.BadArgumentError(f"init_from={run_dir}: space {space.name} trains whole networks; leave it out")
    data, train = saved.configs(RunFolder(run_dir, "init_from").check_finished().config())
    config = {**data.as_dict(), **train.as_dict()}
    of_trunk = {name: config[name] for name in OF_A_TRUNK if name in config}
    choose = space.choose
    if choose is heads and config.get("separate_blocks"):
        choose = heads_with_blocks
    elif choose is heads and not isinstance(train.network, LastBlock):
        choose = dense_heads
    return dataclasses.replace(space, base={**space.base, **of_trunk}, choose=choose)


def find(name: str) -> Space:
    """The space of a name, or of a Python file; errors.BadArgumentError where there is none."""
    if name.endswith(".py"):
        path = paths.local(name, "space").resolve()  # as Python finds the modules beside a script
        choose, base = space_file.load(path, name)
        values = {"preset": "quick", **renamed(base)}
        return Space(path.stem, choose, values, has_frozen_trunk=bool(base.get("freeze_trunk")), path=path)
    if name not in SPACES:
        raise errors.BadArgumentError(
            f"space={name!r}: expected FILE.py or one of {', '.join(SPACES)}{nearest(name, set(SPACES))}"
        )
    return SPACES[name]
