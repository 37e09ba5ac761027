"""What the JSON files of a run hold, as JSON Schema: the keys that this version reads; others may be there."""

from typing import Any

TEXT, FLAG = ({"type": name} for name in ("string", "boolean"))
INTEGER = {"type": "integer", "minimum": -(2**63), "maximum": 2**63}
_FINITE = {"minimum": -1e300, "maximum": 1e300}  # JSON's whole numbers may be larger, and become no floats
NUMBER, NUMBER_OR_NULL = {"type": "number", **_FINITE}, {"type": ["number", "null"], **_FINITE}
HEADS = ("fine", "coarse", "coarse_from_fine")
ACCURACIES = tuple(f"{head}_accuracy" for head in HEADS)
METRICS = ("loss", "fine_loss", "coarse_loss", *ACCURACIES)
BALANCED = ("fine_balanced_accuracy", "coarse_balanced_accuracy")


def required(properties: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """The schema of an object that has these properties, and may have the `optional` ones."""
    return {"type": "object", "required": list(properties), "properties": {**properties, **optional}}


OBJECT = {"type": "object"}
FINGERPRINTS = required({"records": TEXT, "order": TEXT})
COARSE_SOURCE = {"enum": ["head", "summed", None]}  # null where the data set has one level of labels
ROW = required(
    {"epoch": INTEGER, "step": INTEGER}
    | dict.fromkeys(("learning_rate", "train_seconds", "examples_per_second"), NUMBER)
    | {f"{split}_{name}": NUMBER_OR_NULL for split in ("train", "validation") for name in METRICS},
    **{f"validation_{name}": NUMBER_OR_NULL for name in BALANCED},
)
REPORT = required(
    {"coarse_source": COARSE_SOURCE}
    | dict.fromkeys(("dataset", "split", "preset", "precision"), TEXT)
    | dict.fromkeys(("num_train", "num_validation", "num_test", "examples_evaluated"), INTEGER)
    | dict.fromkeys(("seed", "steps", "num_parameters"), INTEGER)
    | dict.fromkeys(("epochs", "train_seconds", "examples_per_second", "train_petaflop", "peak_rss_mib"), NUMBER)
    | dict.fromkeys(ACCURACIES, NUMBER_OR_NULL),
    **dict.fromkeys((f"flip_averaged_{name}" for name in ACCURACIES), NUMBER_OR_NULL),
    **dict.fromkeys(BALANCED, NUMBER_OR_NULL),
    preset_changes=OBJECT,
    precision_reason=TEXT,
    fingerprints={"anyOf": [FINGERPRINTS, {"type": "null"}]},
    trunk_records={"type": ["string", "null"]},
    rollbacks={
        "type": "array",
        "items": required({"epoch": INTEGER, "good_epoch": INTEGER, "learning_rate_multiplier": NUMBER}),
    },
    evaluations={"type": "object", "additionalProperties": required(dict.fromkeys(ACCURACIES, NUMBER_OR_NULL))},
    settings=OBJECT,
    versions=OBJECT,
    num_classes={"type": "object", "additionalProperties": INTEGER},
    image_size=INTEGER,
    input_size=INTEGER,
    device=TEXT,
    git_commit={"type": ["string", "null"]},
)


_NAMES = {"type": "array", "items": TEXT}
_MATRIX = required(
    {"names": _NAMES, "superclasses": _NAMES, "counts": {"type": "array", "items": {"type": "array", "items": INTEGER}}}
)
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
