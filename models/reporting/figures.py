"""What a report says, in words and units.

    report.json ──report_figures──▶ ReportItem(name, value, unit, note) ──▶ table, page

The terminal and the page say the same, because both take it from here.
"""

import dataclasses
from typing import Any

from pipeline.common.config import as_text

REAL_DATASET = "cifar100"
MISSING = "-"


@dataclasses.dataclass(frozen=True)
class ReportItem:
    """One thing that a run achieved or cost."""

    name: str
    value: str
    unit: str = ""
    note: str = ""

    @property
    def with_unit(self) -> str:
        """Such as `61.23 %`."""
        return f"{self.value} {self.unit}".rstrip()


def report_figures(report: dict[str, Any]) -> list[ReportItem]:
    """The figures worth a glance, the accuracies first."""
    return [*accuracies(report), evaluated_on(report), *costs(report)]


def accuracies(report: dict[str, Any]) -> list[ReportItem]:
    """Fine, and coarse by both ways; one of these two is marked as the model's own."""
    own = _own_coarse_key(report)
    names = {
        "fine_accuracy": "Fine accuracy",
        "coarse_accuracy": "Coarse, from its head",
        "coarse_from_fine_accuracy": "Coarse, summed from fine",
    }
    found = []
    for key, name in names.items():
        averaged = report.get(f"flip_averaged_{key}")
        notes = ["the model's own"] if key == own else []
        notes += [f"{percent(averaged)} % averaged with the mirror image"] if averaged is not None else []
        found.append(_accuracy(name, report[key], "; ".join(notes)))
    return found


def evaluated_on(report: dict[str, Any]) -> ReportItem:
    """The split that the accuracies are of, and what the model had on the other one."""
    count = report["examples_evaluated"]
    notes = [f"{count:,} examples" if count else "nothing was held out"]
    for split, found in report.get("evaluations", {}).items():
        known = {name: found[f"{name}_accuracy"] for name in ("fine", "coarse")}
        told = ", ".join(f"{name} {percent(value)} %" for name, value in known.items() if value is not None)
        notes += [f"on {split}: {told}"] if split != report["split"] and told else []
    return ReportItem("Evaluated on", report["split"], note="; ".join(notes))


def costs(report: dict[str, Any]) -> list[ReportItem]:
    """Time, memory and arithmetic of the training, and what it ran in."""
    seconds = report["train_seconds"]
    epochs = "1 epoch" if report["epochs"] == 1 else f"{report['epochs']:g} epochs"
    length = f"{_hours_and_minutes(seconds)}{epochs}, {report['steps']:,} steps"
    return [
        ReportItem("Training time", f"{seconds:,.1f}", "s", length),
        ReportItem("Throughput", brief(report["examples_per_second"]), "images/s"),
        ReportItem("Peak memory", f"{report['peak_rss_mib']:,.0f}", "MiB", "resident, whole process"),
        ReportItem("Training cost", brief(report["train_petaflop"]), "PFLOP", "forward and backward"),
        ReportItem("Precision", report["precision"]),
        ReportItem("Parameters", f"{report['num_parameters']:,}"),
    ]


def dataset_name(dataset: str) -> str:
    """As people write it."""
    return "CIFAR-100" if dataset == REAL_DATASET else dataset


def recipe(report: dict[str, Any]) -> str:
    """The preset's name, and what this run has otherwise."""
    changes = ", ".join(f"{name}={as_text(value)}" for name, value in report.get("preset_changes", {}).items())
    return report["preset"] + (f" with {changes}" if changes else "")


def stand_in_warning(dataset: str) -> str | None:
    """What to shout where the figures are not CIFAR-100's."""
    if dataset == REAL_DATASET:
        return None
    return f"This is {dataset}, the embedded stand-in, NOT CIFAR-100: train on the real data with --archive"


def percent(accuracy: float | None) -> str:
    """0 to 1 -> 0.00 to 100.00."""
    return MISSING if accuracy is None else f"{100 * accuracy:.2f}"


def spread(mean: float | None, std: float | None) -> str:
    """Mean and standard deviation, 0 to 1 -> `61.23 ± 0.45`; the mean alone where there is no deviation."""
    return percent(mean) + (f" ± {percent(std)}" if std is not None else "")


def brief(value: float | None) -> str:
    """Three significant digits, or all of a large number's."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _accuracy(name: str, value: float | None, note: str) -> ReportItem:
    return ReportItem(name, MISSING) if value is None else ReportItem(name, percent(value), "%", note)


def _own_coarse_key(report: dict[str, Any]) -> str:
    keys = {"head": "coarse_accuracy", "summed": "coarse_from_fine_accuracy"}
    own = keys.pop(report["coarse_source"])
    (other,) = keys.values()
    # A model of one head answers in the one way that it can, whatever its preset chose for two heads.
    return other if report[own] is None and report[other] is not None else own


def _hours_and_minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return ""
    return f"{minutes // 60} h {minutes % 60} min, " if minutes >= 60 else f"{minutes} min, "
