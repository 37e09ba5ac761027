"""What the JSON files of a run hold, as JSON Schema: the keys that this version reads; others may be there.

The functions check what a schema cannot say: that the parts of a file fit one another.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.common.json_values import (
    COUNT,
    FLAG,
    INTEGER,
    NUMBER,
    NUMBER_OR_NULL,
    OBJECT,
    TEXT,
    TEXT_OR_NULL,
    array,
    mapping,
    required,
)

HEADS = ("fine", "coarse", "coarse_from_fine")
ACCURACIES = tuple(f"{head}_accuracy" for head in HEADS)
METRICS = ("loss", "fine_loss", "coarse_loss", *ACCURACIES)
NUM_BINS = 15  # of a reliability diagram
POSITIVE = {**NUMBER, "exclusiveMinimum": 0}
BALANCED = ("fine_balanced_accuracy", "coarse_balanced_accuracy")

_FIGURES = required(dict.fromkeys(("nll", "ece", "brier"), NUMBER))
_SUMMARY = required(
    {"before": _FIGURES, "after": {"anyOf": [{"type": "null"}, _FIGURES]}}
    | {"temperature": {**POSITIVE, "type": ["number", "null"]}}
)
FINGERPRINTS = required({"records": TEXT, "order": TEXT})
COARSE_SOURCE = {"enum": ["head", "summed", None]}  # null where the data set has one level of labels
ROW = required(
    {"epoch": INTEGER, "step": INTEGER}
    | dict.fromkeys(("learning_rate", "train_seconds", "examples_per_second"), NUMBER)
    | {f"{split}_{name}": NUMBER_OR_NULL for split in ("train", "validation") for name in METRICS},
    **{f"validation_{name}": NUMBER_OR_NULL for name in BALANCED},
    rss_mib=NUMBER,
)
REPORT = required(
    {"coarse_source": COARSE_SOURCE, "versions": OBJECT, "git_commit": TEXT_OR_NULL}
    | dict.fromkeys(("dataset", "split", "preset", "precision", "device"), TEXT)
    | dict.fromkeys(("num_train", "num_validation", "num_test", "examples_evaluated"), INTEGER)
    | dict.fromkeys(("seed", "steps", "num_parameters"), INTEGER)
    | dict.fromkeys(("epochs", "train_seconds", "examples_per_second", "train_petaflop", "peak_rss_mib"), NUMBER)
    | dict.fromkeys(ACCURACIES, NUMBER_OR_NULL),
    **dict.fromkeys((f"flip_averaged_{name}" for name in ACCURACIES), NUMBER_OR_NULL),
    **dict.fromkeys(BALANCED, NUMBER_OR_NULL),
    preset_changes=OBJECT,
    preset_values=OBJECT,
    precision_reason=TEXT,
    fingerprints={"anyOf": [FINGERPRINTS, {"type": "null"}]},
    trunk_records=TEXT_OR_NULL,
    earlier_trunk_records=array(TEXT),
    rollbacks=array(required({"epoch": INTEGER, "good_epoch": INTEGER, "learning_rate_multiplier": NUMBER})),
    evaluations=mapping(required(dict.fromkeys(ACCURACIES, NUMBER_OR_NULL))),
    settings=OBJECT,
    **dict.fromkeys(("executed_petaflop", "optimizer_petaflop"), NUMBER),
    num_replicas=INTEGER,
    sync_batch_norm=FLAG,
    num_classes=mapping(INTEGER),
    image_size=INTEGER,
    input_size=INTEGER,
    examples_per_class=mapping(array(COUNT)),
    calibration=mapping(mapping(_SUMMARY)),
)
_MATRIX = required({"names": array(TEXT), "superclasses": array(TEXT), "counts": array(array(INTEGER))})
_MATRIX_OR_NULL = {"anyOf": [{"type": "null"}, _MATRIX]}
CONFUSION = required(
    {
        "split": TEXT,
        "examples_evaluated": INTEGER,
        "coarse_source": COARSE_SOURCE,
        "fine": _MATRIX_OR_NULL,
        "coarse": _MATRIX_OR_NULL,
    }
)
_BIN = array(NUMBER_OR_NULL, minItems=3, maxItems=3)  # count, mean confidence, accuracy; the last two null if empty
_MEASURES = required(
    {
        **dict.fromkeys(("nll", "ece", "brier", "aurc"), NUMBER),
        "reliability": array(_BIN, minItems=NUM_BINS, maxItems=NUM_BINS),
        "risk_coverage": array(array(NUMBER, minItems=2, maxItems=2)),
    }
)
_ANSWER = required({"before": _MEASURES, "after": {"anyOf": [{"type": "null"}, _MEASURES]}})
CALIBRATION = required(
    {
        "temperatures": mapping(POSITIVE),
        "fitted_on": {"enum": ["validation", None]},
        "splits": mapping(
            required(
                {
                    "examples": COUNT,
                    "answers": mapping(_ANSWER),
                    "within_superclass": NUMBER_OR_NULL,
                    "heads_agree": NUMBER_OR_NULL,
                }
            )
        ),
    }
)
MISTAKES = required(
    {
        "split": TEXT,
        "level": {"enum": ["fine", "coarse"]},
        "mistakes": array(
            required({"true": TEXT, "predicted": TEXT, "probability": NUMBER, "index": COUNT, "png": TEXT})
        ),
    }
)
_NUMBERS = mapping(array(COUNT))  # of classes, by level of labels, one an example
PREDICTIONS = required({"split": TEXT, "records": TEXT, "labels": _NUMBERS, "predicted": _NUMBERS})


def check_confusion(document: Mapping[str, Any]) -> None:
    """Raise ValueError unless each matrix has a row and a column of each class, and each class a known superclass."""
    parts = {level: document[level] for level in ("fine", "coarse") if document[level]}
    for level, part in parts.items():
        count = len(part["names"])
        if len(part["superclasses"]) != count or [len(row) for row in part["counts"]] != [count] * count:
            raise ValueError(f"{level} has {count} names, and another number of superclasses, rows or columns")
        if "coarse" in parts and set(part["superclasses"]) != set(parts["coarse"]["names"]):
            raise ValueError(f"{level} has other superclasses than coarse")


def check_calibration(document: Mapping[str, Any]) -> None:
    """Raise ValueError unless each answer that is measured after its temperature has one."""
    for split, values in document["splits"].items():
        for name, answer in values["answers"].items():
            if answer["after"] is not None and name not in document["temperatures"]:
                raise ValueError(f"{name} has no temperature, though {split} was measured with one")


def check_predictions(document: Mapping[str, Any]) -> None:
    """Raise ValueError unless each example has a label and a prediction of each level that is predicted."""
    labels = document["labels"]
    lengths = {len(numbers) for numbers in (*labels.values(), *document["predicted"].values())}
    if len(lengths) > 1 or document["predicted"].keys() - labels.keys():
        raise ValueError("its labels and predictions are of several numbers of examples, or of several levels")
