"""Training: how long and on what a run trains, with what precision and seed."""

import dataclasses

from models.config.heads import HeadsConfig
from models.config.network import NetworkConfig
from models.config.presets import PRESETS
from models.optimizers.config import OptimizationConfig
from pipeline.common.config import setting

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True, init=False)
class TrainConfig(OptimizationConfig, HeadsConfig, NetworkConfig):
    """A run's network, heads, optimizer, loss and precision. The defaults are those of the preset `quick`."""

    preset: str = setting(
        "quick", "recipe whose values stand where no file and no flag says otherwise", choices=tuple(PRESETS)
    )
    epochs: float = setting(5.0, "epochs; a fraction ends within one", low=0.001)
    max_steps: int = setting(0, "end after so many steps at the latest; 0 is no limit", low=0)
    patience: int = setting(
        0, "end after so many epochs without a better validation accuracy (fine, if there is one); 0 is never", low=0
    )
    init_from: str = setting("", "begin with the trunk of this finished run of the same network and split")
    freeze_trunk: bool = setting(
        False, "keep the weights of the trunk of --init_from; only the heads are trained", needs="init_from"
    )
    precision: str = setting("auto", "auto is the fastest that this machine computes well", choices=PRECISIONS)
    steps_per_call: int = setting(
        1, "steps that one call of the device's graph makes; more spare GPUs waiting for Python", low=1, identity=False
    )
    seed: int = setting(0, "of initial weights, order and augmentation", low=0)
