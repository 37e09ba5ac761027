"""Studies of the hypotheses that the original study tested with its CNN. An entry is a study."""

import functools
from typing import Any

from tuning.studies.catalogue.smoke import SMOKE
from tuning.studies.design import Study, Variant

# The network of the original study's hypothesis tests, trained as it was: Adam, pixels / 255, no augmentation, one fine
# head. The short budget brings the references of the original study's own hypotheses to 30 % in minutes by standardised
# pixels, small batches and a rate that rises and falls; it does not reach what the original study had with
# normalisation and dropout.
_ORIGINAL_CNN: dict[str, Any] = {"preset": "original_cnn"}
_DEEPER_CNN = {**_ORIGINAL_CNN, "block_convolutions": 2, "batch_norm": True}
_SHORT_CNN = {"batch_size": 64, "pixel_scaling": "standardise", "schedule": "warmup_linear", "learning_rate": 3e-3}
_ORIGINAL_CNN_BUDGETS: dict[str, dict[str, Any]] = {
    "smoke": {**SMOKE, "first_filters": 4},
    "short": {"epochs": 1.5, **_SHORT_CNN},
    "full": {"epochs": 15.0},
}
# Half as wide where it has to be short: a quarter of the cost, and so epochs enough.
_DEEPER_CNN_BUDGETS = {**_ORIGINAL_CNN_BUDGETS, "short": {"epochs": 2.5, "first_filters": 16, **_SHORT_CNN}}
_of_original_cnn = functools.partial(
    Study,
    base=_ORIGINAL_CNN,
    budgets=_ORIGINAL_CNN_BUDGETS,
    repeats={"smoke": 1, "short": 5, "full": 5},
    side_by_side=True,
)
_of_deeper_cnn = functools.partial(_of_original_cnn, base=_DEEPER_CNN, budgets=_DEEPER_CNN_BUDGETS)

# Keras's own rates, which the original study left as they were (its adadelta at 13 % is one sign of it).
_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {"learning_rate": 1e-3},
    "sgd": {"learning_rate": 1e-2, "momentum": 0.0},
    "rmsprop": {"learning_rate": 1e-3},
    "adagrad": {"learning_rate": 1e-3},
    "adadelta": {"learning_rate": 1e-3},
    "adamax": {"learning_rate": 1e-3},
    "nadam": {"learning_rate": 1e-3},
}
_ACTIVATION_TABLE: dict[str, tuple[float | None, ...]] = {
    "relu": (0.3699, 0.2910, 0.3812, 0.2643, 0.1322, 0.3706, 0.3814),
    "selu": (0.3973, 0.2858, 0.3443, 0.2545, 0.1766, 0.3869, 0.3810),
    "elu": (0.3893, 0.3798, 0.3673, 0.2133, 0.1628, 0.3828, 0.3935),
    "tanh": (0.3092, 0.2658, 0.2431, 0.2194, 0.1275, 0.2846, 0.2877),
    "leaky_relu": (0.3754, None, None, None, None, None, None),
}

STUDIES: tuple[Study, ...] = (
    _of_original_cnn(
        name="pooling",
        question="Does it matter how the simple CNN pools: maxima, averages, or some of both?",
        reference="max",
        variants=(
            Variant("max", {"pooling": "max"}, original_mean=0.29652, original_std=0.01538),
            Variant("average", {"pooling": "average"}, original_mean=0.33974, original_std=0.01062),
            # Two of each need four blocks, and so do the twins that they are to be compared with.
            Variant("max_4_blocks", {"pooling": "max", "blocks": 4}),
            Variant("average_4_blocks", {"pooling": "average", "blocks": 4}, against="max_4_blocks"),
            Variant(
                "mixed_4_blocks",
                {"pooling": "mixed", "blocks": 4},
                "two of each",
                against="max_4_blocks",
                original_mean=0.32522,
                original_std=0.01008,
            ),
        ),
    ),
    _of_original_cnn(
        name="padding",
        question="Does it matter whether the simple CNN's convolutions pad their maps?",
        # The original study's row 'same' has the mean of its mixed pooling; four blocks would leave 'valid' nothing to
        # look at.
        base={**_ORIGINAL_CNN, "pooling": "mixed"},
        reference="same",
        variants=(
            Variant("same", {"padding": "same"}, original_mean=0.32522, original_std=0.01088),
            Variant("valid", {"padding": "valid"}, original_mean=0.32186, original_std=0.00483),
        ),
    ),
    _of_deeper_cnn(
        name="batch_norm",
        question="What do batch normalisation, and dropout beside it, do for a deeper CNN?",
        reference="with",
        variants=(
            Variant("without", {"batch_norm": False}, original_mean=0.418, original_std=0.00866),
            Variant("with", original_mean=0.55634, original_std=0.00882),
            Variant(
                "with_dropout", {"dropout": 0.3}, "of Model 1's strength", original_mean=0.60752, original_std=0.0139
            ),
        ),
    ),
    _of_deeper_cnn(
        name="dropout",
        question="How much dropout between the convolutions: none, 0.3 or 0.4?",
        reference="none",
        variants=(
            Variant("none", {"dropout": 0.0}, "trained as `with` of the study batch_norm"),
            Variant("dropout_0.3", {"dropout": 0.3}, "trained as `with_dropout` there"),
            Variant("dropout_0.4", {"dropout": 0.4}, against="dropout_0.3"),
        ),
    ),
    _of_original_cnn(
        name="l2",
        question="How strong a penalty on the squares of the weights?",
        # The original study got about 49 and 55 % with two strengths that it does not name. Its 0.1 and 0.2, taken as
        # they stand, outweigh the cross-entropy many times over.
        base={**_ORIGINAL_CNN, "batch_norm": True},
        reference="none",
        variants=(
            Variant("none", {"l2": 0.0}),
            Variant("l2_0.0001", {"l2": 1e-4}),
            Variant("l2_0.001", {"l2": 1e-3}),
            Variant("l2_0.1", {"l2": 0.1}, "what the original study names for its final fine model, read as a penalty"),
            Variant("l2_0.2", {"l2": 0.2}, "for its Model 1 and its final coarse model, read so", against="l2_0.1"),
        ),
    ),
    _of_original_cnn(
        name="activation_optimizer",
        question="Which activation with which optimizer, and which of the differences are real?",
        budgets={
            "smoke": {**_ORIGINAL_CNN_BUDGETS["smoke"], "max_steps": 2},
            "short": {"epochs": 3.0, **_SHORT_CNN},  # at Keras's own rates, which learn more slowly
            "full": _ORIGINAL_CNN_BUDGETS["full"],
        },
        repeats={"smoke": 1, "short": 2, "full": 5},
        reference="relu-adam",
        factors=("activation", "optimizer"),
        variants=tuple(
            Variant(
                f"{activation}-{optimizer}",
                {"activation": activation, "optimizer": optimizer, **_OPTIMIZERS[optimizer]},
                levels=(activation, optimizer),
                original_mean=accuracy,
            )
            for activation, accuracies in _ACTIVATION_TABLE.items()
            for optimizer, accuracy in zip(_OPTIMIZERS, accuracies, strict=True)
        ),
    ),
    _of_original_cnn(
        name="normalisation",
        question="Is dividing pixels by 255 enough, or does standardising each channel help?",
        # Without batch normalisation, which undoes what an affine map of the pixels does.
        reference="unit",
        variants=(
            Variant("unit", {"pixel_scaling": "unit"}, "pixels / 255, as the original study had it"),
            Variant("standardise", {"pixel_scaling": "standardise"}, "zero mean, unit deviation a channel"),
        ),
    ),
    _of_original_cnn(
        name="augmented_images",
        question="Do more augmented images help, and is it the images or the longer training?",
        # As in the original study, each number of images is seen equally often, so more images are more training. The
        # last two rows repeat the unaugmented images at that cost, to separate the two effects. Views are drawn anew in
        # each pass, where the original study drew its array once.
        base={**_DEEPER_CNN, "augmentation": "original"},
        budgets={
            "smoke": {**_ORIGINAL_CNN_BUDGETS["smoke"], "epochs": 1.0},
            "short": {**_DEEPER_CNN_BUDGETS["short"], "epochs": 1.0},
            "full": {"epochs": 10.0},
        },
        repeats={"smoke": 1, "short": 2, "full": 3},
        reference="40000",
        variants=(
            Variant("40000", {"virtual_examples": 40_000, "unaugmented_fraction": 0.5}, "half of them unaugmented"),
            Variant("400000", {"virtual_examples": 400_000, "unaugmented_fraction": 0.1}),
            Variant("600000", {"virtual_examples": 600_000, "unaugmented_fraction": 0.0666667}),
            Variant(
                "400000_plain",
                {"virtual_examples": 400_000, "augmentation": "none"},
                "the originals, ten times each",
                against="400000",
            ),
            Variant(
                "600000_plain",
                {"virtual_examples": 600_000, "augmentation": "none"},
                "the originals, 15 times each",
                against="600000",
            ),
        ),
    ),
    _of_original_cnn(
        name="initialisation",
        question="How much do initial weights move the result: by their seed, and by the way they are drawn?",
        # A seed draws the weights and the order of the images: a row's standard deviation is of both.
        repeats={"smoke": 2, "short": 5, "full": 10},
        reference="glorot_uniform",
        variants=tuple(
            Variant(name, {"initializer": name}, "Keras's own" if name == "glorot_uniform" else "")
            for name in ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "random_normal")
        ),
    ),
)
