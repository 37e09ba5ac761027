"""What a run trains and how: one frozen configuration, and the named recipes (presets) over it."""

import dataclasses
from typing import Any

from pipeline import errors
from pipeline.config import Config, nearest, setting

ARCHITECTURES = ("residual", "baseline", "linear")
HEADS = ("both", "fine", "coarse")
PRESET_NAMES = ("quick", "baseline", "linear")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
    """A run's model, optimisation and precision. The defaults are those of the preset `quick`."""

    preset: str = setting(
        "quick", "recipe whose values stand where no file and no flag says otherwise", choices=PRESET_NAMES
    )
    architecture: str = setting("residual", "network", choices=ARCHITECTURES)
    heads: str = setting("both", "labels that the model answers", choices=HEADS)
    logit_scale: float = setting(0.125, "the heads' logits are multiplied by it", low=0.001)
    pixel_scaling: str = setting(
        "standardise",
        "standardise: zero mean, unit deviation a channel; unit: pixels / 255",
        choices=("standardise", "unit"),
    )
    epochs: float = setting(5.0, "epochs; a fraction ends within one", low=0.001)
    max_steps: int = setting(0, "end after so many steps at the latest; 0 is no limit", low=0)
    optimizer: str = setting("sgd", "sgd is Nesterov's", choices=("sgd", "adam"))
    learning_rate: float = setting(2.0, "the highest learning rate", low=0.0)
    schedule: str = setting(
        "warmup_linear",
        "warmup_linear: up over --warmup_fraction, then down to 0; constant: --learning_rate, or a callback's",
        choices=("warmup_linear", "constant"),
    )
    warmup_fraction: float = setting(0.25, "part of the run in which the rate rises", low=0.0, high=0.9)
    momentum: float = setting(0.85, "of sgd", low=0.0, high=0.999)
    weight_decay: float = setting(3e-3, "decoupled, times the rate, on kernels alone", low=0.0)
    fine_label_smoothing: float = setting(0.1, "of the fine loss", low=0.0, high=0.9)
    coarse_label_smoothing: float = setting(0.05, "of the coarse loss", low=0.0, high=0.9)
    coarse_loss_weight: float = setting(0.5, "the coarse loss counts so much, the fine one 1", low=0.0)
    coarse_source: str = setting(
        "summed", "of two heads: which coarse answer is the model's own", choices=("head", "summed")
    )
    precision: str = setting("auto", "auto is the fastest that this machine computes well", choices=PRECISIONS)
    jit_compile: str = setting(
        "auto",
        "XLA for the network; auto is on GPUs. What augments is compiled unless it is off",
        choices=("auto", "on", "off"),
    )
    seed: int = setting(0, "of initial weights, order and augmentation", low=0)


PRESETS: dict[str, dict[str, Any]] = {
    # Minutes on two CPU cores: the main job. Chosen on validation, 40,000 training images.
    "quick": {},
    # The study's first network, as it was: one fine head, pixels / 255, no augmentation; it memorises.
    "baseline": {
        "architecture": "baseline",
        "heads": "fine",
        "logit_scale": 1.0,
        "pixel_scaling": "unit",
        "augmentation": "none",
        "batch_size": 128,
        "epochs": 8.0,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "weight_decay": 0.0,
        "fine_label_smoothing": 0.0,
    },
    # Softmax regression on pixels: what a data set gives away without any learned feature.
    "linear": {
        "architecture": "linear",
        "logit_scale": 1.0,
        "augmentation": "none",
        "epochs": 10.0,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "fine_label_smoothing": 0.0,
        "coarse_label_smoothing": 0.0,
        "coarse_loss_weight": 1.0,
        "coarse_source": "head",
        "precision": "float32",
    },
}


def preset(name: str) -> dict[str, Any]:
    """The values that a named recipe sets; everything else keeps its default.

    Raises:
      errors.BadArgumentError: there is no such preset.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise errors.BadArgumentError(
            f"preset={name!r}: expected one of {', '.join(PRESETS)}{nearest(str(name), set(PRESETS))}"
        )
    return PRESETS[name]
