"""The studies, as data; `python -m tuning.study --study=NAME` runs one.

Each answers one question by training named variants of one recipe with the same seeds; every budget of every variant is
built and checked by a test. Figures marked `study_mean` are what the study that this project replaces measured.

Budgets: smoke shows in seconds that everything runs, and its accuracies mean nothing; short fits two cores; full is
what one would publish.
"""

from typing import Any

from pipeline.common import errors
from pipeline.common.config import nearest
from tuning.studies.design import Combination, Study, Variant

# A few steps of a network of a few thousand parameters on any of the data sets.
_SMOKE: dict[str, Any] = {
    "max_steps": 6,
    "batch_size": 64,
    "num_validation": 500,
    "jit_compile": "off",  # compiling takes longer than these steps
}
_NARROW = {"widths": (8, 16, 32), "bottlenecks": (8, 8, 16)}
_SMOKE_TINY = {**_SMOKE, **_NARROW, "resolutions": ((20, 0.5), (32, 0.5))}  # a graph less to trace
_TINY = {"preset": "tiny", "num_validation": 10_000}
_QUICK = {"preset": "quick", "num_validation": 10_000}

_ABLATION = Study(
    name="fast_ablation",
    question="What is each ingredient of the preset tiny worth, in accuracy and in PetaFLOP?",
    base=_TINY,
    budgets={"smoke": _SMOKE_TINY, "short": {}, "full": {}},
    repeats={"smoke": 1, "short": 2, "full": 3},
    reference="all",
    variants=(
        Variant("all"),
        Variant("no_whitening", {"whitening": False}, "the stem is trained instead of computed and frozen"),
        Variant("no_dirac", {"dirac": False}, "convolutions begin at random"),
        Variant("relu", {"activation": "relu"}),
        Variant("gelu", {"activation": "gelu"}),
        Variant(
            "nesterov_sgd",
            {"optimizer": "sgd", "learning_rate": 2.0, "weight_decay": 3e-3},
            "rate and decay are quick's, not tuned for this network",
        ),
        Variant("full_resolution", {"resolutions": ()}, "equal epochs: costs more"),
        Variant("full_resolution_equal_cost", {"resolutions": (), "epochs": 2.91}, "equal PetaFLOP: fewer epochs"),
        Variant("random_flips", {"augmentation": "flip_shift"}, "instead of alternating ones"),
        Variant("no_augmentation", {"augmentation": "none"}),
        Variant("no_label_smoothing", {"fine_label_smoothing": 0.0, "coarse_label_smoothing": 0.0}),
        Variant("logit_scale_1", {"logit_scale": 1.0}),
        Variant("no_norm_scale", {"norm_scale": False}, "batch normalisation learns an offset alone"),
        Variant("no_coarse_loss", {"heads": "fine"}, "its coarse answer is summed from the fine one"),
        Variant("weight_average", {"ema_decay": 0.98}, "over about 50 steps"),
        Variant("lookahead", {"lookahead_steps": 5}),
    ),
)

_AUGMENTATION = Study(
    name="augmentation",
    question="Which set of random transforms helps, at this length of training?",
    base=_QUICK,
    # Strong sets pay in long trainings: what they cost in a short one is no verdict on them.
    budgets={"smoke": _SMOKE, "short": {"epochs": 3.0}, "full": {"epochs": 30.0}},
    repeats={"smoke": 1, "short": 2, "full": 5},
    reference="none",
    variants=(
        Variant("none", {"augmentation": "none"}),
        Variant("study", {"augmentation": "original"}, "the study's generator, as it was"),
        Variant("study_sheared", {"augmentation": "original_sheared"}, "with a shear that one can see"),
        Variant("flip_shift", {"augmentation": "flip_shift"}),
        Variant("alternating_flip_shift", {"augmentation": "alternating_flip_shift"}),
        Variant("flip_crop_cutout", {"augmentation": "flip_crop_cutout"}),
        Variant("trivial_augment", {"augmentation": "trivial_augment"}),
        Variant("modern", {"augmentation": "modern"}),
    ),
)

_SINGLE_VS_JOINT = Study(
    name="single_vs_joint",
    question="Does one model with two heads beat two models, and what does it save?",
    base=_TINY,
    budgets={"smoke": _SMOKE_TINY, "short": {}, "full": {}},
    repeats={"smoke": 2, "short": 2, "full": 5},
    reference="joint",
    metrics=("fine_accuracy", "own_coarse_accuracy"),
    shown=("coarse_accuracy", "coarse_from_fine_accuracy"),
    variants=(
        Variant("joint", {"heads": "both"}, "its coarse answer is summed from the fine one"),
        Variant("fine_alone", {"heads": "fine"}, "its coarse answer is summed too", study_mean=0.6198),
        Variant("coarse_alone", {"heads": "coarse"}, study_mean=0.7047, study_metric="own_coarse_accuracy"),
    ),
    combinations=(
        Combination(
            "two_models",
            {"fine_accuracy": "fine_alone", "own_coarse_accuracy": "coarse_alone"},
            "fine_alone for the fine label and coarse_alone for the coarse one, at the cost of both",
        ),
    ),
)

# The network of the study's hypothesis tests, trained as it was: Adam, pixels / 255, no augmentation, one fine head.
# The short budget brings the references of the study's own hypotheses to 30 % in minutes by standardised pixels, small
# batches and a rate that rises and falls; it does not reach what the study had with normalisation and dropout.
_ORIGINAL_CNN: dict[str, Any] = {"preset": "original_cnn", "num_validation": 10_000}
_DEEPER_CNN = {**_ORIGINAL_CNN, "block_convolutions": 2, "batch_norm": True}
_SHORT_CNN = {"batch_size": 64, "pixel_scaling": "standardise", "schedule": "warmup_linear", "learning_rate": 3e-3}
_ORIGINAL_CNN_BUDGETS: dict[str, dict[str, Any]] = {
    "smoke": {**_SMOKE, "first_filters": 4},
    "short": {"epochs": 1.5, **_SHORT_CNN},
    "full": {"epochs": 15.0},
}
# Half as wide where it has to be short: a quarter of the cost, and so epochs enough.
_DEEPER_CNN_BUDGETS = {**_ORIGINAL_CNN_BUDGETS, "short": {"epochs": 2.5, "first_filters": 16, **_SHORT_CNN}}
_HYPOTHESIS_REPEATS = {"smoke": 1, "short": 5, "full": 5}

_NORMALISATION = Study(
    name="normalisation",
    question="Is dividing pixels by 255 enough, or does standardising each channel help?",
    # Without batch normalisation, which undoes what an affine map of the pixels does.
    base=_ORIGINAL_CNN,
    budgets=_ORIGINAL_CNN_BUDGETS,
    repeats=_HYPOTHESIS_REPEATS,
    side_by_side=True,
    reference="unit",
    variants=(
        Variant("unit", {"pixel_scaling": "unit"}, "pixels / 255, as the study had it"),
        Variant("standardise", {"pixel_scaling": "standardise"}, "zero mean, unit deviation a channel"),
    ),
)

_POOLING = Study(
    name="pooling",
    question="Does it matter how the simple CNN pools: maxima, averages, or some of both?",
    base=_ORIGINAL_CNN,
    budgets=_ORIGINAL_CNN_BUDGETS,
    repeats=_HYPOTHESIS_REPEATS,
    side_by_side=True,
    reference="max",
    variants=(
        Variant("max", {"pooling": "max"}, study_mean=0.29652, study_std=0.01538),
        Variant("average", {"pooling": "average"}, study_mean=0.33974, study_std=0.01062),
        # Two of each need four blocks, and so do the twins that they are to be compared with.
        Variant("max_4_blocks", {"pooling": "max", "blocks": 4}),
        Variant("average_4_blocks", {"pooling": "average", "blocks": 4}, against="max_4_blocks"),
        Variant(
            "mixed_4_blocks",
            {"pooling": "mixed", "blocks": 4},
            "two of each",
            against="max_4_blocks",
            study_mean=0.32522,
            study_std=0.01008,
        ),
    ),
)

_PADDING = Study(
    name="padding",
    question="Does it matter whether the simple CNN's convolutions pad their maps?",
    # The study's row 'same' has the mean of its mixed pooling; four blocks would leave 'valid' nothing to look at.
    base={**_ORIGINAL_CNN, "pooling": "mixed"},
    budgets=_ORIGINAL_CNN_BUDGETS,
    repeats=_HYPOTHESIS_REPEATS,
    side_by_side=True,
    reference="same",
    variants=(
        Variant("same", {"padding": "same"}, study_mean=0.32522, study_std=0.01088),
        Variant("valid", {"padding": "valid"}, study_mean=0.32186, study_std=0.00483),
    ),
)

_BATCH_NORM = Study(
    name="batch_norm",
    question="What do batch normalisation, and dropout beside it, do for a deeper CNN?",
    base=_DEEPER_CNN,
    budgets=_DEEPER_CNN_BUDGETS,
    repeats=_HYPOTHESIS_REPEATS,
    side_by_side=True,
    reference="with",
    variants=(
        Variant("without", {"batch_norm": False}, study_mean=0.418, study_std=0.00866),
        Variant("with", study_mean=0.55634, study_std=0.00882),
        Variant("with_dropout", {"dropout": 0.3}, "of Model 1's strength", study_mean=0.60752, study_std=0.0139),
    ),
)

_DROPOUT = Study(
    name="dropout",
    question="How much dropout between the convolutions: none, 0.3 or 0.4?",
    base=_DEEPER_CNN,
    budgets=_DEEPER_CNN_BUDGETS,
    repeats=_HYPOTHESIS_REPEATS,
    side_by_side=True,
    reference="none",
    variants=(
        Variant("none", {"dropout": 0.0}, "trained as `with` of the study batch_norm"),
        Variant("dropout_0.3", {"dropout": 0.3}, "trained as `with_dropout` there"),
        Variant("dropout_0.4", {"dropout": 0.4}, against="dropout_0.3"),
    ),
)

_L2 = Study(
    name="l2",
    question="How strong a penalty on the squares of the weights?",
    # The study got about 49 and 55 % with two strengths that it does not name. Its 0.1 and 0.2, taken as they stand,
    # outweigh the cross-entropy many times over.
    base={**_ORIGINAL_CNN, "batch_norm": True},
    budgets=_ORIGINAL_CNN_BUDGETS,
    repeats=_HYPOTHESIS_REPEATS,
    side_by_side=True,
    reference="none",
    variants=(
        Variant("none", {"l2": 0.0}),
        Variant("l2_0.0001", {"l2": 1e-4}),
        Variant("l2_0.001", {"l2": 1e-3}),
        Variant("l2_0.1", {"l2": 0.1}, "what the study names for its final fine model, read as a penalty"),
        Variant("l2_0.2", {"l2": 0.2}, "for its Model 1 and its final coarse model, read so", against="l2_0.1"),
    ),
)

_AUGMENTED_IMAGES = Study(
    name="augmented_images",
    question="Do more augmented images help, and is it the images or the longer training?",
    # As in the study, each count of images is gone through equally often: more images are more training, and the
    # table's PetaFLOP say how much more. The last two rows repeat the originals at that cost, to tell the two apart.
    # Views are drawn anew in each pass, where the study's array was drawn once.
    base={**_DEEPER_CNN, "augmentation": "original"},
    budgets={
        "smoke": {**_ORIGINAL_CNN_BUDGETS["smoke"], "epochs": 1.0},
        "short": {**_DEEPER_CNN_BUDGETS["short"], "epochs": 1.0},
        "full": {"epochs": 10.0},
    },
    repeats={"smoke": 1, "short": 2, "full": 3},
    side_by_side=True,
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
)

# Keras's own rates, which the study left as they were (its adadelta at 13 % is one sign of it).
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

_ACTIVATION_OPTIMIZER = Study(
    name="activation_optimizer",
    question="Which activation with which optimizer, and which of the differences are real?",
    base=_ORIGINAL_CNN,
    budgets={
        "smoke": {**_ORIGINAL_CNN_BUDGETS["smoke"], "max_steps": 2},
        "short": {"epochs": 3.0, **_SHORT_CNN},  # at Keras's own rates, which learn more slowly
        "full": _ORIGINAL_CNN_BUDGETS["full"],
    },
    repeats={"smoke": 1, "short": 2, "full": 5},
    side_by_side=True,
    reference="relu-adam",
    factors=("activation", "optimizer"),
    variants=tuple(
        Variant(
            f"{activation}-{optimizer}",
            {"activation": activation, "optimizer": optimizer, **_OPTIMIZERS[optimizer]},
            levels=(activation, optimizer),
            study_mean=accuracy,
        )
        for activation, accuracies in _ACTIVATION_TABLE.items()
        for optimizer, accuracy in zip(_OPTIMIZERS, accuracies, strict=True)
    ),
)

_TRANSFER = Study(
    name="transfer",
    question="Does the fine model's architecture serve for coarse labels, or is the smaller model of their own better?",
    base={"preset": "original_coarse", "num_validation": 10_000},
    budgets={
        "smoke": _SMOKE,
        "short": {"virtual_examples": 100_000, "epochs": 1.0},  # presets differ in both: equally many views here
        "full": {"virtual_examples": 400_000, "epochs": 1.875},
    },
    repeats={"smoke": 1, "short": 2, "full": 3},
    reference="transferred",
    metrics=("own_coarse_accuracy",),
    shown=("fine_accuracy",),
    variants=(
        Variant("transferred", {"preset": "original_coarse_transferred"}, "6 convolutions", study_mean=0.706),
        Variant(
            "coarse",
            {"preset": "original_coarse"},
            "the study's final coarse model: 4 convolutions",
        ),
        Variant(
            "fine_summed",
            {"preset": "original_coarse_transferred", "heads": "fine"},
            "its fine probabilities summed: no coarse label in training at all",
        ),
    ),
)

_INITIALISATION = Study(
    name="initialisation",
    question="How much do initial weights move the result: by their seed, and by the way they are drawn?",
    # A seed draws the weights and the order of the images: a row's standard deviation is of both.
    base=_ORIGINAL_CNN,
    budgets=_ORIGINAL_CNN_BUDGETS,
    repeats={"smoke": 2, "short": 5, "full": 10},
    side_by_side=True,
    reference="glorot_uniform",
    variants=tuple(
        Variant(name, {"initializer": name}, "Keras's own" if name == "glorot_uniform" else "")
        for name in ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "random_normal")
    ),
)

_ARCHITECTURES = Study(
    name="architectures",
    question="Which network gives the most for its PetaFLOP, all with one recipe?",
    # Adam, since it trains them all; each would do better with a recipe of its own.
    base={**_QUICK, "optimizer": "adam", "learning_rate": 2e-3, "weight_decay": 0.05, "logit_scale": 1.0},
    budgets={
        "smoke": {**_SMOKE, **_NARROW, "max_steps": 2, "depth": 10, "widen_factor": 1, "first_filters": 4},
        "short": {"epochs": 2.0, "depth": 10, "widen_factor": 2},
        "full": {"epochs": 30.0, "depth": 16, "widen_factor": 4},
    },
    repeats={"smoke": 1, "short": 2, "full": 3},
    reference="resnet9",
    variants=(
        Variant("linear", {"architecture": "linear"}, "softmax regression"),
        Variant("baseline", {"architecture": "baseline"}, "the study's first network"),
        Variant("original_cnn", {"architecture": "original_cnn"}, "of the study's hypothesis tests"),
        Variant("original_net", {"architecture": "original_net", "activation": "elu"}, "the study's Model 1"),
        Variant("resnet9", {"architecture": "resnet9"}, "quick's"),
        Variant("speedrun", {"architecture": "speedrun", "activation": "silu"}, "tiny's"),
        Variant("wide_resnet", {"architecture": "wide_resnet"}),
        Variant("resnet18", {"architecture": "resnet18"}, "ResNet-18"),
        Variant("alexnet", {"architecture": "alexnet"}),
        Variant("vgg11", {"architecture": "vgg11"}),
        Variant("vgg16", {"architecture": "vgg16"}),
        Variant("efficientnet_b0", {"architecture": "efficientnet_b0"}),
    ),
)

STUDIES = {
    study.name: study
    for study in (
        _ABLATION,
        _POOLING,
        _PADDING,
        _BATCH_NORM,
        _DROPOUT,
        _L2,
        _ACTIVATION_OPTIMIZER,
        _NORMALISATION,
        _AUGMENTATION,
        _AUGMENTED_IMAGES,
        _SINGLE_VS_JOINT,
        _TRANSFER,
        _INITIALISATION,
        _ARCHITECTURES,
    )
}


def find(name: str) -> Study:
    """The study of that name.

    Raises:
      errors.BadArgumentError: there is none.
    """
    if name not in STUDIES:
        given = f"study={name!r}" if name else "study is missing"
        raise errors.BadArgumentError(f"{given}: expected one of {', '.join(STUDIES)}{nearest(name, set(STUDIES))}")
    return STUDIES[name]
