"""What a run trains and how: one frozen configuration, and the named recipes (presets) over it."""

import dataclasses
from typing import Any

from pipeline import errors
from pipeline.config import Config, nearest, setting

ARCHITECTURES = ("residual", "fast", "baseline", "linear")
HEADS = ("both", "fine", "coarse")
PRESET_NAMES = ("quick", "tiny", "fast", "baseline", "linear")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
    """A run's model, optimisation and precision. The defaults are those of the preset `quick`."""

    preset: str = setting(
        "quick", "recipe whose values stand where no file and no flag says otherwise", choices=PRESET_NAMES
    )
    architecture: str = setting("residual", "network", choices=ARCHITECTURES)
    widths: str = setting("32,128,384", "filters of the three groups of fast")
    bottlenecks: str = setting("32,96,256", "filters inside the residual pairs of the three groups of fast")
    activation: str = setting("relu", "of fast", choices=("relu", "silu", "gelu", "elu", "leaky_relu"))
    whitening: bool = setting(True, "stem of fast computed from the training images and frozen; else trained")
    dirac: bool = setting(True, "convolutions of fast begin by handing their channels on")
    norm_scale: bool = setting(False, "batch normalisation of fast learns a scale beside its offset")
    norm_momentum: float = setting(0.6, "how much of the moving statistics of fast stays at a step", low=0.0, high=1.0)
    heads: str = setting("both", "labels that the model answers", choices=HEADS)
    logit_scale: float = setting(0.125, "the heads' logits are multiplied by it", low=0.001)
    pixel_scaling: str = setting(
        "standardise",
        "standardise: zero mean, unit deviation a channel; unit: pixels / 255",
        choices=("standardise", "unit"),
    )
    epochs: float = setting(5.0, "epochs; a fraction ends within one", low=0.001)
    max_steps: int = setting(0, "end after so many steps at the latest; 0 is no limit", low=0)
    optimizer: str = setting(
        "sgd",
        "sgd is Nesterov's; muon is Muon for convolutions, Nesterov's SGD for the rest",
        choices=("sgd", "adam", "muon"),
    )
    learning_rate: float = setting(2.0, "the highest learning rate", low=0.0)
    schedule: str = setting(
        "warmup_linear",
        "warmup_linear: up over --warmup_fraction, then down to 0; constant: --learning_rate, or a callback's",
        choices=("warmup_linear", "constant"),
    )
    warmup_fraction: float = setting(0.25, "part of the run in which the rate rises", low=0.0, high=0.9)
    momentum: float = setting(0.85, "of sgd, and of muon's other variables", low=0.0, high=0.999)
    muon_rate_ratio: float = setting(0.13, "muon: rate of convolutions, in multiples of --learning_rate", low=0.0)
    muon_momentum: float = setting(0.6, "muon: of convolutions", low=0.0, high=0.999)
    muon_iterations: int = setting(3, "muon: Newton-Schulz iterations a step", low=1, high=10)
    offset_rate_ratio: float = setting(8.0, "muon: rate of offsets, in multiples of --learning_rate", low=0.0)
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

    def __post_init__(self) -> None:
        super().__post_init__()
        _three_numbers("widths", self.widths)
        _three_numbers("bottlenecks", self.bottlenecks)

    @property
    def group_widths(self) -> tuple[int, ...]:
        """`widths` as numbers."""
        return _three_numbers("widths", self.widths)

    @property
    def group_bottlenecks(self) -> tuple[int, ...]:
        """`bottlenecks` as numbers."""
        return _three_numbers("bottlenecks", self.bottlenecks)


def _three_numbers(name: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise errors.BadArgumentError(f"{name}={text!r}: expected three numbers, such as 32,128,384")
    return tuple(int(part) for part in parts)


PRESETS: dict[str, dict[str, Any]] = {
    # Minutes on two CPU cores: the main job. Chosen on validation, 40,000 training images.
    "quick": {},
    # The least that beats both of the study's finals. Chosen on validation, 40,000 training images.
    "tiny": {
        "architecture": "fast",
        "activation": "silu",
        "augmentation": "alternating_flip_shift",
        "resolutions": "20:0.15,24:0.35,32:0.5",
        "batch_size": 384,
        "epochs": 4.15,
        "optimizer": "muon",
        "learning_rate": 1.2,
        "weight_decay": 3.3e-3,
        "logit_scale": 0.139,
        "fine_label_smoothing": 0.2,
        "coarse_label_smoothing": 0.1,
        "coarse_loss_weight": 0.25,
    },
    # The field's fastest recipe for 75 %, at its published cost (NAVIER-STOKED); the ingredients are tiny's.
    "fast": {
        "architecture": "fast",
        "widths": "64,256,768",
        "bottlenecks": "64,192,512",
        "activation": "silu",
        "augmentation": "alternating_flip_shift",
        "resolutions": "20:0.15,24:0.35,32:0.5",
        "batch_size": 512,
        "epochs": 8.75,
        "optimizer": "muon",
        "learning_rate": 1.38,
        "weight_decay": 3.3e-3,
        "logit_scale": 0.139,
        "fine_label_smoothing": 0.25,
        "coarse_label_smoothing": 0.15,
        "coarse_loss_weight": 0.25,
    },
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
