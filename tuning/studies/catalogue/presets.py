"""Studies of our presets: their ingredients, augmentation, heads, transfer and architectures. An entry is a study."""

import itertools

from tuning.studies.catalogue.smoke import SMOKE
from tuning.studies.design import EPOCHS, Combination, Study, Variant

_NARROW = {"widths": (8, 16, 32), "bottlenecks": (8, 8, 16)}
_SMOKE_TINY = {**SMOKE, **_NARROW, "resolutions": ((20, 0.5), (32, 0.5))}  # a graph less to trace
_TINY = {"preset": "tiny"}
_QUICK = {"preset": "quick"}
_SETS = {"none": "none", "study": "original", "flip_shift": "flip_shift", "strong": "trivial_augment"}
_LENGTHS = (2, 8, 24)  # epochs

STUDIES = (
    Study(
        name="fast_ablation",
        question="What is each ingredient of the preset tiny worth, in accuracy and in PetaFLOP?",
        base=_TINY,
        budgets={"smoke": _SMOKE_TINY, "short": {}, "full": {}},
        repeats={"smoke": 1, "short": 5, "full": 5},
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
            Variant("full_resolution_equal_cost", {"resolutions": (), "epochs": 2.73}, "equal PetaFLOP: fewer epochs"),
            Variant(
                "from_20_pixels_equal_cost",
                {"resolutions": ((20, 0.15), (24, 0.35), (32, 0.5)), "epochs": 3.75},
                "larger images first, equal PetaFLOP: fewer epochs",
            ),
            Variant("random_flips", {"augmentation": "flip_shift"}, "instead of alternating ones"),
            Variant("no_augmentation", {"augmentation": "none"}),
            Variant("no_label_smoothing", {"fine_label_smoothing": 0.0, "coarse_label_smoothing": 0.0}),
            Variant("logit_scale_1", {"logit_scale": 1.0}),
            Variant("no_norm_scale", {"norm_scale": False}, "batch normalisation learns an offset alone"),
            Variant("no_coarse_loss", {"heads": "fine"}, "its coarse answer is summed from the fine one"),
            Variant("weight_average", {"ema_decay": 0.98}, "over about 50 steps"),
            Variant("lookahead", {"lookahead_steps": 5}),
        ),
    ),
    Study(
        name="augmentation",
        question="Which set of random transforms helps, at this length of training?",
        base=_QUICK,
        # Strong sets pay in long trainings: what they cost in a short one is no verdict on them.
        budgets={"smoke": SMOKE, "short": {"epochs": 3.0}, "full": {"epochs": 30.0}},
        repeats={"smoke": 1, "short": 2, "full": 5},
        reference="none",
        variants=(
            Variant("none", {"augmentation": "none"}),
            Variant("study", {"augmentation": "original"}, "the original study's generator, as it was"),
            Variant("study_sheared", {"augmentation": "original_sheared"}, "with a shear that one can see"),
            Variant("flip_shift", {"augmentation": "flip_shift"}),
            Variant("alternating_flip_shift", {"augmentation": "alternating_flip_shift"}),
            Variant("flip_crop_cutout", {"augmentation": "flip_crop_cutout"}),
            Variant("trivial_augment", {"augmentation": "trivial_augment"}),
            Variant("modern", {"augmentation": "modern"}),
        ),
    ),
    Study(
        name="augmentation_length",
        question="Does augmentation help, and from which length of training on?",
        base=_TINY,
        budgets={"smoke": _SMOKE_TINY, "short": {}, "full": {}},
        repeats={"smoke": 1, "short": 2, "full": 5},
        reference=f"none-{_LENGTHS[0]}",
        factors=("augmentation", EPOCHS),
        variants=tuple(
            Variant(
                f"{name}-{length}",
                {"augmentation": augmentation, "epochs": float(length)},
                against=f"none-{length}",
                levels=(name, str(length)),
            )
            for length, (name, augmentation) in itertools.product(_LENGTHS, _SETS.items())
        ),
    ),
    Study(
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
            Variant("fine_alone", {"heads": "fine"}, "its coarse answer is summed too", original_mean=0.6198),
            Variant("coarse_alone", {"heads": "coarse"}, original_mean=0.7047, original_metric="own_coarse_accuracy"),
        ),
        combinations=(
            Combination(
                "two_models",
                {"fine_accuracy": "fine_alone", "own_coarse_accuracy": "coarse_alone"},
                "fine_alone for the fine label and coarse_alone for the coarse one, at the cost of both",
            ),
        ),
    ),
    Study(
        name="transfer",
        question="Does the fine model's network serve for coarse labels, or is the smaller model of their own better?",
        base={"preset": "original_coarse"},
        budgets={
            "smoke": SMOKE,
            "short": {"virtual_examples": 100_000, "epochs": 1.0},  # presets differ in both: equally many views here
            "full": {"virtual_examples": 400_000, "epochs": 1.875},
        },
        repeats={"smoke": 1, "short": 2, "full": 3},
        reference="transferred",
        metrics=("own_coarse_accuracy",),
        shown=("fine_accuracy",),
        variants=(
            Variant("transferred", {"preset": "original_coarse_transferred"}, "6 convolutions", original_mean=0.706),
            Variant("coarse", {"preset": "original_coarse"}, "the original study's final coarse model: 4 convolutions"),
            Variant(
                "fine_summed",
                {"preset": "original_coarse_transferred", "heads": "fine"},
                "its fine probabilities summed: no coarse label in training at all",
            ),
        ),
    ),
    Study(
        name="architectures",
        question="Which network does a budget of arithmetic buy, all with one recipe?",
        # Adam, since it trains them all; each would do better with a recipe of its own.
        base={
            **_QUICK,
            "batch_size": 128,
            "optimizer": "adam",
            "learning_rate": 2e-3,
            "weight_decay": 0.05,
            "logit_scale": 1.0,
        },
        budgets={"smoke": {**SMOKE, "max_steps": 2}, "short": {}, "full": {}},
        petaflop={"short": 0.1, "full": 0.4},
        repeats={"smoke": 1, "short": 2, "full": 1},
        reference="resnet18",
        variants=(
            Variant("alexnet", {"architecture": "alexnet"}, epoch_petaflop=0.003597),
            Variant("vgg11", {"architecture": "vgg11"}, epoch_petaflop=0.04131),
            Variant("vgg16", {"architecture": "vgg16"}, epoch_petaflop=0.07982),
            Variant("resnet18", {"architecture": "resnet18"}, epoch_petaflop=0.1333),
            Variant(
                "wrn_16_4", {"architecture": "wide_resnet", "depth": 16, "widen_factor": 4}, epoch_petaflop=0.09423
            ),
            Variant("efficientnet_b0", {"architecture": "efficientnet_b0"}, epoch_petaflop=0.02791),
            Variant("efficientnet_v2_s", {"architecture": "efficientnet_v2_s"}, epoch_petaflop=0.2158),
            Variant("quick", {"architecture": "resnet9"}, "the network of quick", epoch_petaflop=0.01112),
            Variant(
                "fast",
                {
                    "architecture": "speedrun",
                    "activation": "silu",
                    "widths": (64, 256, 768),
                    "bottlenecks": (64, 192, 512),
                },
                "the network of fast",
                epoch_petaflop=0.03832,
            ),
        ),
    ),
)
