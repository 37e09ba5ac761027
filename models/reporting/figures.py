"""The values of a report with names and units, as the terminal's table and the page show them.

report.json ──results, costs──▶ ReportItem(name, value, unit, note) ──▶ table, page
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from models.config.renamed import renamed
from pipeline.common import durations
from pipeline.common.config import as_text
from pipeline.common.numbers import counted
from pipeline.datasets import builtin

REAL_DATASET = "cifar100"
MISSING = "-"
MIN_P_VALUE = 0.001  # shown as a number
# The mean over the classes of each one's accuracy; the coarse one is of the model's own coarse prediction.
BALANCED = {
    "fine_accuracy": "fine_balanced_accuracy",
    **dict.fromkeys(("coarse_accuracy", "coarse_from_fine_accuracy"), "coarse_balanced_accuracy"),
}
# The words for the answers in `calibration.json`, where they stand side by side.
ANSWERS = {"fine": "fine", "coarse": "coarse head", "coarse_from_fine": "coarse from fine"}
# Whether a run is evaluated on the data set that it was trained on; runs of earlier versions did not record theirs.
SAME_RECORDS, OTHER_RECORDS, UNKNOWN_RECORDS = "same", "other", "unknown"


@dataclasses.dataclass(frozen=True)
class ReportItem:
    """A named value of a report, as text."""

    name: str
    value: str
    unit: str = ""
    note: str = ""


def results(report: dict[str, Any]) -> list[ReportItem]:
    """Fine accuracy and both coarse ones, of which one is marked as the model's own; then what they are of.

    Where the data set has one level of labels, there is one accuracy.
    """
    coarse_key = own_coarse_key(report)
    names = {
        "fine_accuracy": "Fine accuracy",
        "coarse_accuracy": "Coarse, from its head",
        "coarse_from_fine_accuracy": "Coarse, summed from fine",
    }
    if coarse_key is None:
        names = {"fine_accuracy": "Accuracy"}
    items = []
    for key, name in names.items():
        averaged = report.get(f"flip_averaged_{key}")
        notes = ["the model's own"] if key == coarse_key else []
        balanced = report.get(BALANCED.get(key, "")) if key == coarse_key or key == "fine_accuracy" else None
        if balanced is not None and percent(balanced) != percent(report[key]):
            notes.append(f"{percent(balanced)} % balanced over the classes")
        notes += [f"{percent(averaged)} % averaged with the mirror image"] if averaged is not None else []
        measured = (percent(report[key]), "%", "; ".join(notes))
        items.append(ReportItem(name, MISSING) if report[key] is None else ReportItem(name, *measured))
    return [*items, _evaluated_on(report)]


def _evaluated_on(report: dict[str, Any]) -> ReportItem:
    """The evaluated split, with the accuracies on the other one."""
    count = report["examples_evaluated"]
    notes = [counted(count, "example") if count else "nothing was held out"]
    for split, evaluation in report.get("evaluations", {}).items():
        keys = {"fine": "fine_accuracy", "coarse": own_coarse_key({**report, **evaluation})}
        values = {name if keys["coarse"] else "": evaluation[key] for name, key in keys.items() if key}
        texts = (f"{name} {percent(value)} %".lstrip() for name, value in values.items() if value is not None)
        accuracies = ", ".join(texts)
        other = " (OTHER records)" if evaluation.get("evaluated_records") == OTHER_RECORDS else ""
        notes += [f"on {split}: {accuracies}{other}"] if split != report["split"] and accuracies else []
    if report.get("evaluated_records") == OTHER_RECORDS:
        notes.append("of OTHER records than the run was trained on")
    return ReportItem("Evaluated on", report["split"], note="; ".join(notes))


def costs(report: dict[str, Any]) -> list[ReportItem]:
    """Time, memory and arithmetic of the training, its precision and the model's size."""
    seconds = report["train_seconds"]
    rounded = f"{durations.in_words(seconds)}, " if seconds >= 90 else ""
    length = f"{rounded}{counted(float(report['epochs']), 'epoch')}, {counted(report['steps'], 'step')}"
    return [
        *_rollbacks(report.get("rollbacks")),
        ReportItem("Training time", f"{seconds:,.1f}", "s", length),
        ReportItem("Throughput", brief(report["examples_per_second"]), "images/s"),
        ReportItem("Peak memory", f"{report['peak_rss_mib']:,.0f}", "MiB", "resident, whole process"),
        ReportItem("Training cost", brief(report["train_petaflop"]), "PFLOP", "forward and backward"),
        *_executed(report),
        ReportItem("Precision", report["precision"], note=report.get("precision_reason", "")),
        ReportItem("Parameters", f"{report['num_parameters']:,}"),
    ]


def _executed(report: dict[str, Any]) -> list[ReportItem]:
    """The operations that were executed, which reports of earlier versions do not have."""
    if "executed_petaflop" not in report:
        return []
    optimizer = report.get("optimizer_petaflop")
    note = f"and {brief(optimizer)} by the optimizer" if optimizer else ""
    return [ReportItem("Executed", brief(report["executed_petaflop"]), "PFLOP", note)]


def _rollbacks(rollbacks: list[dict[str, Any]] | None) -> list[ReportItem]:
    """The rollbacks of a training that diverged, with the learning rate that it ended with; nothing without any."""
    if not rollbacks:
        return []
    epochs = ", ".join(str(one["epoch"]) for one in rollbacks)
    multiplier = f"{rollbacks[-1]['learning_rate_multiplier']:g} x --learning_rate"
    return [ReportItem("Rollbacks", str(len(rollbacks)), note=f"after epochs {epochs} diverged; finally {multiplier}")]


def dataset_name(dataset: str) -> str:
    """The data set's name in running text."""
    return "CIFAR-100" if dataset == REAL_DATASET else dataset


def recipe(report: dict[str, Any]) -> str:
    """The preset's name, with the fields that differ from it, numbers to six significant digits."""
    values = renamed({**report.get("preset_changes", {}), "preset": report["preset"]})
    preset = values.pop("preset")
    rounded = {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in values.items()}
    changes = ", ".join(f"{name}={as_text(value)}" for name, value in rounded.items())
    return preset + (f" with {changes}" if changes else "")


def stand_in_warning(dataset: str) -> str | None:
    """The warning of a report that is of a stand-in for CIFAR-100; None for CIFAR-100 and for images of one's own."""
    if dataset not in builtin.GENERATED:
        return None
    return f"This is {dataset}, a generated stand-in, NOT CIFAR-100; set --archive to train on the real data"


def split_note(report: Mapping[str, Any]) -> str:
    """The mark of figures of earlier versions, which held out other images for validation; "" for today's.

    Nor is there a mark where no image was held out.
    """
    return "" if report.get("fingerprints") or report.get("num_validation") == 0 else "split by file order"


def split_note_sentence(report: Mapping[str, Any]) -> str:
    """`split_note` as a sentence behind others."""
    note = split_note(report)
    return f" {note.capitalize()}." if note else ""


def percent(accuracy: float | None) -> str:
    """An accuracy of 0 to 1 as 0.00 to 100.00."""
    return MISSING if accuracy is None else f"{100 * accuracy:.2f}"


def spread(mean: float | None, std: float | None) -> str:
    """Mean and standard deviation, 0 to 1, as `61.23 ± 0.45`; only the mean where the deviation is None."""
    return percent(mean) + (f" ± {percent(std)}" if std is not None else "")


def brief(value: float | None) -> str:
    """A number with three significant digits, or with all digits before the point."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def p_value(value: float) -> str:
    """A p-value with three significant digits, and a limit for those that are too small for their digits to matter."""
    return brief(value) if value >= MIN_P_VALUE else f"< {MIN_P_VALUE}"


def own_coarse_key(report: Mapping[str, Any]) -> str | None:
    """The key of the coarse accuracy that is the model's own; None where the data set has one level of labels."""
    if report["coarse_source"] is None:
        return None
    head, summed = "coarse_accuracy", "coarse_from_fine_accuracy"
    chosen, other = (head, summed) if report["coarse_source"] == "head" else (summed, head)
    # A model with a single head has one of the two, whatever its preset chose for two heads.
    return other if report[chosen] is None and report[other] is not None else chosen
