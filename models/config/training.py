"""What a run trains and how: one frozen configuration, of three parts."""

import dataclasses

from models.config.network import HAVE_LAST_BLOCK, NetworkConfig
from models.config.optimization import OptimizationConfig
from models.config.presets import PRESETS
from pipeline.common import errors
from pipeline.common.config import setting

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class TrainConfig(NetworkConfig, OptimizationConfig):
    """A run's model, optimisation, loss and precision. The defaults are those of the preset `quick`."""

    preset: str = setting(
        "quick", "recipe whose values stand where no file and no flag says otherwise", choices=tuple(PRESETS)
    )
    epochs: float = setting(5.0, "epochs; a fraction ends within one", low=0.001)
    max_steps: int = setting(0, "end after so many steps at the latest; 0 is no limit", low=0)
    patience: int = setting(
        0, "end after so many epochs without a better validation accuracy (fine, if there is one); 0 is never", low=0
    )
    fine_label_smoothing: float = setting(0.1, "of the fine loss", low=0.0, high=0.9)
    coarse_label_smoothing: float = setting(0.05, "of the coarse loss", low=0.0, high=0.9)
    coarse_loss_weight: float = setting(0.5, "the coarse loss counts so much, the fine one 1", low=0.0)
    coarse_source: str = setting(
        "summed", "of two heads: which coarse answer is the model's own", choices=("head", "summed")
    )
    trunk_run_dir: str = setting("", "begin with the trunk of this finished run of the same network and split")
    freeze_trunk: bool = setting(False, "the trunk of --trunk_run_dir stays as it is, and the heads alone learn")
    thaw_last_block: bool = setting(False, "with --freeze_trunk, the last group of fast or residual learns")
    precision: str = setting("auto", "auto is the fastest that this machine computes well", choices=PRECISIONS)
    steps_per_call: int = setting(
        1, "steps that one call of the device's graph makes; more spare GPUs waiting for Python", low=1, identity=False
    )
    seed: int = setting(0, "of initial weights, order and augmentation", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freeze_trunk and not self.trunk_run_dir:
            raise errors.BadArgumentError("freeze_trunk=True: expected --trunk_run_dir=FOLDER, whose trunk is frozen")
        if self.thaw_last_block and not (self.freeze_trunk and self.architecture in HAVE_LAST_BLOCK):
            raise errors.BadArgumentError(
                f"thaw_last_block=True: expected --freeze_trunk and --architecture={' or '.join(HAVE_LAST_BLOCK)}"
            )
