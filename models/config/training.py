"""Training: how long and on what a run trains, with what precision and seed."""

import dataclasses
from typing import Any

from models.config.distribution import DistributionConfig
from models.config.heads import HeadsConfig
from models.config.network import NetworkConfig
from models.config.presets import FINETUNE, PRESETS
from models.optimizers.config import OptimizationConfig
from pipeline.common import errors
from pipeline.common.config import setting

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True, init=False)
class TrainConfig(DistributionConfig, OptimizationConfig, HeadsConfig, NetworkConfig):
    """A run's network, heads, optimizer, loss and precision. The defaults are those of the preset `quick`.

    A preset's values are set by `models.config.from_preset`, not by the constructor: it raises errors.BadArgumentError
    for another preset unless all that the preset sets is given, and so does `replace` with another preset.
    """

    preset: str = setting(
        "quick", "named recipe; its values apply where neither a file nor a flag sets another", choices=tuple(PRESETS)
    )
    epochs: float = setting(5.0, "number of epochs; may be fractional, such as 0.5", low=0.001)
    max_steps: int = setting(
        0, "maximum number of steps, which the schedule and --resolutions then span; 0 is no limit", low=0
    )
    patience: int = setting(
        0,
        "epochs without improvement of validation accuracy (fine, if predicted) after which training stops; 0 disables",
        low=0,
    )
    on_divergence: str = setting(
        "stop",
        "reaction to a loss that is not finite, or 1,000 times that of uniform guessing: stop ends the run with an "
        "error; rollback returns to the last good epoch and halves the learning rate, at most three times",
        choices=("stop", "rollback"),
    )
    init_from: str = setting(
        "",
        "folder of a finished run of the same network; this run starts from the weights of its trunk and, if that run "
        "was trained on other images, of the heads with the same class names",
        is_path=True,
    )
    freeze_trunk: bool = setting(
        False, "freeze the trunk at the weights and moving statistics of --init_from", needs="init_from"
    )
    precision: str = setting(
        "auto", "numeric precision; auto selects a 16-bit type unless it is slow on this machine", choices=PRECISIONS
    )
    steps_per_call: int = setting(
        1, "steps per call of the compiled graph; more of them reduce Python's overhead on GPUs", low=1, identity=False
    )
    seed: int = setting(0, "random seed of initial weights, shuffling, augmentation and dropout", low=0)
    made_of: str = dataclasses.field(default="", repr=False, compare=False)  # the preset, as `replace` passes it on

    def __init__(self, *, made_of: str = "", **values: Any) -> None:
        super().__init__(**values)
        object.__setattr__(self, "made_of", self.preset)
        if self.preset == FINETUNE and not self.init_from:
            raise errors.BadArgumentError(
                f"preset={FINETUNE}: expected --init_from=RUN_DIR, a finished run on other images, whose network this "
                "one takes; to train without one, choose another --preset"
            )
        if "preset" not in values or made_of == self.preset:
            return
        missing = [name for name in PRESETS[self.preset] if name in self.as_dict() and name not in values]
        if made_of or missing:
            other = f"the other values are of {made_of}" if made_of else f"{missing[0]} and others are not given"
            expected = f"models.config.from_preset({self.preset!r}, ...), which sets them"
            raise errors.BadArgumentError(f"preset={self.preset}: {other}; expected {expected}")
