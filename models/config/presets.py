"""Named recipes: what each sets; everything else keeps the defaults, which are those of `quick`.

One line a subject: the network, its data, how it learns, and its loss.
"""

from typing import Any

from pipeline.common import errors
from pipeline.common.config import nearest

_ADAM = {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0}  # at Keras's defaults
_GROWING = {"resolutions": ((20, 0.15), (24, 0.35), (32, 0.5))}

# The ingredients of the fast recipes; what each is worth, `tuning.study --study=fast_ablation` measures.
_FAST_RECIPE: dict[str, Any] = (
    {"architecture": "speedrun", "activation": "silu", "logit_scale": 0.139}
    | {"augmentation": "alternating_flip_shift", **_GROWING}
    | {"optimizer": "muon", "coarse_loss_weight": 0.25}
)
# Resolutions, batch and rate were chosen on validation, at equal cost with Muon's products counted.
_TINY: dict[str, Any] = (
    _FAST_RECIPE
    | {"resolutions": ((16, 0.5), (24, 0.3), (32, 0.2))}
    | {"batch_size": 768, "learning_rate": 1.7, "weight_decay": 3.3e-3}
    | {"fine_label_smoothing": 0.2, "coarse_label_smoothing": 0.1}
)
# Batch, rates and smoothing of NAVIER-STOKED (AIDDA-Institute/CIFAR-100-speedrun), whose decay of 5e-4 is not
# decoupled: over 1 - momentum.
_PUBLISHED_RECIPE: dict[str, Any] = (
    _FAST_RECIPE
    | {"batch_size": 1024, "learning_rate": 1.38, "momentum": 0.9, "weight_decay": 5e-3}
    | {"fine_label_smoothing": 0.25, "coarse_label_smoothing": 0.15}
)
# What the original study had throughout: pixels / 255, a model for each kind of label.
_ORIGINAL: dict[str, Any] = {"pixel_scaling": "unit", "coarse_source": "head"}
# Its Model 1 and finals, whose optimizer it does not name: that of the fast recipes.
_ORIGINAL_NET: dict[str, Any] = (
    _ORIGINAL
    | {"architecture": "original_net", "activation": "elu", "logit_scale": 0.139, **_GROWING}
    | {"optimizer": "muon", "warmup_fraction": 0.15}
    | {"batch_size": 384, "learning_rate": 1.2, "weight_decay": 3.3e-3}
)
_ORIGINAL_FINE = {**_ORIGINAL_NET, "heads": "fine", "augmentation": "original"}
_ORIGINAL_COARSE = (
    _ORIGINAL_NET
    | {"heads": "coarse", "head_dropout": 0.4}
    | {"augmentation": "original_coarse", "virtual_examples": 400_000, "unaugmented_last_fraction": 0.1}
)

FINETUNE = "finetune"  # the only preset without a network of its own

PRESETS: dict[str, dict[str, Any]] = {
    # The one to read first. docs/results.md has cost and accuracy of each preset that was measured.
    "quick": {},
    # The cheapest that is above what the original study published for its two final models.
    "nano": {**_TINY, "epochs": 4.7},
    # The main job: what gives most in about two minutes on two CPU cores.
    "tiny": {**_TINY, "epochs": 6.5},
    # The field's fastest recipe for 75 % (measured with --num_validation=0), with a coarse head. It was published with
    # 8.75 epochs; the further ones are paid for by smaller images first, and by arithmetic that is left out
    # (models/layers/convolution.py) or shared (models/optimizers/newton_schulz.py).
    "fast": _PUBLISHED_RECIPE
    | {"widths": (64, 256, 768), "bottlenecks": (64, 192, 512)}
    | {"resolutions": ((16, 0.3), (24, 0.35), (32, 0.35)), "epochs": 10.4},
    # Wider and longer than fast: more than an hour on two CPU cores, measured with --num_validation=0. With
    # cutout (as airbench96) a small network was as good on validation after 24 epochs as without, and had learned far
    # less by heart: 85 % of what it was trained on instead of 97 %. Wider ones overfit sooner.
    "better": _PUBLISHED_RECIPE
    | {"widths": (80, 320, 960), "bottlenecks": (80, 240, 640)}
    | {"augmentation": "alternating_flip_shift_cutout", "epochs": 28.0},
    # The network and the weights of --init_from, all of them trained. Chosen on validation images of two small sets:
    # 20 classes of CIFAR-100, 40 images each, after a training on the other 80, and the digits of
    # examples/fine_tune.py. Training the heads alone was worse on both, and with the last block no better. Muon was
    # better on the first, whose weights Muon had trained, but brings kernels that others trained to another norm.
    FINETUNE: {"optimizer": "adam", "learning_rate": 3e-3, "weight_decay": 0.0, "warmup_fraction": 0.15}
    | {"batch_size": 64, "epochs": 40.0},
    # Not measured; hours on a GPU. WRN-28-10 with SAM (Foret et al. 2020, arXiv 2010.01412),
    # TrivialAugment and cutout. The decay is the papers' 5e-4, which is not decoupled: over 1 - momentum.
    "strong": {"architecture": "wide_resnet", "depth": 28, "widen_factor": 10, "logit_scale": 1.0}
    | {"augmentation": "trivial_augment", "batch_size": 128, "epochs": 200.0}
    | {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-3, "sam_radius": 0.1}
    | {"schedule": "warmup_cosine", "warmup_fraction": 0.01}
    | {"fine_label_smoothing": 0.1, "coarse_label_smoothing": 0.1, "coarse_loss_weight": 0.25},
    # The original study's first network, which memorises, as it was: one fine head, pixels / 255, no augmentation.
    "baseline": {"architecture": "baseline", "heads": "fine", "logit_scale": 1.0, "pixel_scaling": "unit"}
    | {"augmentation": "none", "batch_size": 128, "epochs": 8.0}
    | {**_ADAM, "schedule": "constant", "fine_label_smoothing": 0.0},
    # Seconds. Softmax regression on pixels: what a data set shows without learned features.
    "linear": {"architecture": "linear", "logit_scale": 1.0, "precision": "float32"}
    | {"augmentation": "none", "epochs": 10.0, **_ADAM, "coarse_source": "head"}
    | {"fine_label_smoothing": 0.0, "coarse_label_smoothing": 0.0, "coarse_loss_weight": 1.0},
    # The network of the original study's hypothesis tests, as its defaults were; studies here change one thing each.
    "original_cnn": {"architecture": "original_cnn", "heads": "fine", "logit_scale": 1.0, **_ORIGINAL}
    | {"augmentation": "none", "batch_size": 128, "epochs": 4.0}
    | {**_ADAM, "schedule": "constant", "fine_label_smoothing": 0.0},
    # Models 1 to final of the original study: its facts but L2, described in models/architectures/original_net.py, and
    # for the rest what trains fast.
    "original_model_1": {**_ORIGINAL_FINE, "convolutions": 8, "head_dropout": 0.3, "epochs": 3.0}
    # The originals and as many augmented copies, the original study's first array.
    | {"virtual_examples": 80_000, "unaugmented_fraction": 0.5},
    "original_fine": {**_ORIGINAL_FINE, "convolutions": 6, "head_dropout": 0.4, "epochs": 2.6}
    # The 40,000 originals of each 600,000 come last, all of them.
    | {"virtual_examples": 600_000, "unaugmented_last_fraction": 0.0666667},
    "original_coarse_transferred": {**_ORIGINAL_COARSE, "convolutions": 6, "epochs": 1.0},
    "original_coarse": {**_ORIGINAL_COARSE, "convolutions": 4, "epochs": 2.5},
}


WITH_NETWORK = tuple(name for name in PRESETS if name != FINETUNE)


def preset(name: str) -> dict[str, Any]:
    """The values that a named recipe sets; everything else keeps its default.

    Raises:
      errors.BadArgumentError: there is no such preset.
    """
    if not isinstance(name, str) or name not in PRESETS:
        hint = nearest(str(name), set(PRESETS))
        raise errors.BadArgumentError(f"preset={name!r}: expected one of {', '.join(PRESETS)}{hint}")
    return PRESETS[name]
