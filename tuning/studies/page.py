"""The report of a study as a Markdown page and on the terminal; needs `report.json` alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from models.config.renamed import renamed
from models.reporting import figures, table
from pipeline.common import markdown_table
from pipeline.common.config import as_text
from pipeline.common.markdown_table import Column
from pipeline.common.numbers import counted
from tuning import statistics
from tuning.studies.design import DEFAULT_BUDGET, METRICS
from tuning.studies.folder import FINISHED

ORIGINAL_LEGEND = "*original study*: its own result, with another network, length of training and split."
TRAINING_LEGEND = (
    "*training*: the accuracy on the training images in the last epoch, as they were augmented and while the network "
    "changed; the mean over the seeds."
)
LENGTH_LEGEND = (
    "Variants are compared at this length of training. One that learns more slowly may be better after a longer one."
)
COST_LEGEND = (
    "Variants are compared at this cost of training. One that is more expensive may be better after a longer training."
)
MEMORY_LEGEND = "*MiB*: the peak resident memory of a process that trains this run alone, TensorFlow included."
# What a reader of the tables must know.
LEGEND = (
    "Accuracies are on validation, with a single view of each image. The 95 % interval covers the variation between "
    "seeds, which draw the initial weights, the order of the images and the augmentation. The validation images are "
    "the same for all seeds. An interval needs at least three seeds.",
    "*minus X*: the mean difference from X over the seeds that both have, with its 95 % interval, which is not "
    "corrected for the number of comparisons. *p (Holm)* is corrected; the verdict is that of *p* at 0.05. With few "
    "seeds, a difference that is not shown may still exist.",
    LENGTH_LEGEND,
    COST_LEGEND,
    ORIGINAL_LEGEND,
    TRAINING_LEGEND,
    "*PetaFLOP*: the floating-point operations of training, forward and backward; a multiply-add counts as two. "
    "*seconds*: the training time of one run; runs that train in parallel share the processors.",
    MEMORY_LEGEND,
)

COMMANDS = (
    "The command of a variant trains it with one seed; set `--seed` and another `--run_dir` for further seeds. "
    "`python -m models.evaluate --run_dir=...` draws the confusion matrices of a run."
)


def page(report: Mapping[str, Any], pictures: Sequence[str] = ()) -> str:
    """The report as a page: question, answer, a table per metric, pictures (files in its folder), rows and command."""
    warning = figures.stand_in_warning(report["dataset"])
    lines = [f"# {title(report)}: {report['question']}", ""]
    lines += [f"**{warning}.**", ""] if warning else []
    lines += [_conditions(report), ""]
    for name in _tabulated(report):
        lines += [f"## {METRICS[name].capitalize()} accuracy (%)", "", answer(report, name), ""]
        lines += [*markdown_table.lines(columns(report, name), measured(report, name)), ""]
    lines += [line for picture in pictures for line in (f"![{picture}]({picture})", "")]
    is_equal_cost = report.get("is_equal_cost", False)
    is_shown = {
        ORIGINAL_LEGEND: any(_has_original(report, name) for name in _tabulated(report)),
        TRAINING_LEGEND: any(_has_training(report, name) for name in _tabulated(report)),
        LENGTH_LEGEND: not is_equal_cost,
        COST_LEGEND: is_equal_cost,
        MEMORY_LEGEND: is_equal_cost,
    }
    legend = [line for line in LEGEND if is_shown.get(line, True)]
    lines += ["## How to read the tables", "", *(f"- {line}" for line in legend), ""] if _tabulated(report) else []
    lines += ["## Variants", "", f"All variants share {_settings(report['recipe'])}. {COMMANDS}", ""]
    lines += [f"- **{row['name']}**{_explained(row)}" for row in report["variants"]]
    failed = [cell for cell in report["cells"] if cell["status"] != FINISHED]
    lines += ["", "## Failed", ""] if failed else []
    lines += [f"- {cell['variant']}, seed {cell['seed']}: {cell['reason']}" for cell in failed]
    lines += ["", origin(report)]
    return "\n".join(lines) + "\n"


def title(report: Mapping[str, Any]) -> str:
    """The name of its study, and its budget where that is not the usual one."""
    budget = "" if report["budget"] == DEFAULT_BUDGET else f", budget {report['budget']}"
    return report["study"] + budget


def answer(report: Mapping[str, Any], name: str) -> str:
    """Sentences that name the rows which differ in a metric from the row that they are compared with."""
    rows: dict[tuple[str, str], list[str]] = {}
    for row in report["variants"]:
        comparison = row["measured"].get(name, {}).get("comparison")
        if comparison is not None and comparison["difference"] is not None:
            text = f"{row['name']} ({100 * comparison['difference']:+.2f})"
            rows.setdefault((comparison["verdict"], comparison["against"]), []).append(text)
    words = {
        statistics.HIGHER: "Higher than",
        statistics.LOWER: "Lower than",
        statistics.NOT_SHOWN: "No difference shown from",
        statistics.TOO_FEW: "Not compared, with fewer than two common seeds, with",
    }
    order = sorted(rows, key=lambda key: list(words).index(key[0]))  # by verdict; stable
    return " ".join(f"{words[verdict]} {against}: {', '.join(rows[verdict, against])}." for verdict, against in order)


def show(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the tables."""
    console = table.console_of(report["dataset"], console)
    console.print(Text(report["question"], style="bold"))
    for name in _tabulated(report):
        texts = markdown_table.cells(columns(report, name), measured(report, name))
        console.print(table.of_texts(texts, f"{METRICS[name]} accuracy (%)"))
    console.print(Text(_conditions(report)), soft_wrap=True)


def columns(report: Mapping[str, Any], name: str) -> list[Column[Mapping[str, Any]]]:
    """The columns of one metric's table; a row is one of the report's variants."""

    def figure(row: Mapping[str, Any]) -> Mapping[str, Any]:
        return row["measured"][name]

    def mean_of(other: str) -> Column[Mapping[str, Any]]:
        return Column(METRICS[other], lambda row: figures.percent(row["measured"].get(other, {}).get("mean")))

    def comparison(row: Mapping[str, Any]) -> list[str]:
        return _comparison(report, row["name"], figure(row)["comparison"])

    def original(row: Mapping[str, Any]) -> str:
        return figures.spread(figure(row)["study_mean"], figure(row)["study_std"])

    def cost(heading: str, key: str, digits: str) -> Column[Mapping[str, Any]]:
        return Column(heading, lambda row: figures.MISSING if row[key] is None else f"{row[key]:{digits}}")

    def differs(key: str) -> bool:
        """False in reports of versions that did not record it."""
        return len({row.get(key) for row in measured(report, name)} - {None}) > 1

    others = [other for other in (*report["metrics"], *report["shown"]) if other != name and measured(report, other)]
    return [
        Column("variant", lambda row: row["name"]),
        Column("seeds", lambda row: str(len(figure(row)["values"]))),
        Column("mean ± std", lambda row: figures.spread(figure(row)["mean"], figure(row)["std"])),
        Column("95 % interval", lambda row: _interval(figure(row)["low"], figure(row)["high"])),
        Column(f"minus {report['reference']}", lambda row: comparison(row)[0]),
        Column("p (Holm)", lambda row: comparison(row)[1]),
        Column("verdict", lambda row: comparison(row)[2]),
        *([Column("original study", original)] if _has_original(report, name) else []),
        *map(mean_of, others),
        *(
            [Column("training", lambda row: figures.percent(_training(row, name)))]
            if _has_training(report, name)
            else []
        ),
        *([cost("epochs", "epochs", ".4g")] if differs("epochs") else []),
        *([cost("parameters", "num_parameters", ",.0f")] if differs("num_parameters") else []),
        cost("PetaFLOP", "train_petaflop", ".3g"),
        cost("seconds", "train_seconds", ",.0f"),
        *([cost("MiB", "peak_rss_mib", ",.0f")] if report.get("is_equal_cost") else []),
    ]


def measured(report: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The variants that have a value of a metric."""
    return [row for row in report["variants"] if row["measured"].get(name, {}).get("values")]


def _has_original(report: Mapping[str, Any], name: str) -> bool:
    """Whether the original study has a result of any variant in a metric."""
    return any(row["measured"][name]["study_mean"] is not None for row in measured(report, name))


def _training(row: Mapping[str, Any], name: str) -> float | None:
    return row.get("training", {}).get(name)  # reports of earlier versions have none


def _has_training(report: Mapping[str, Any], name: str) -> bool:
    return any(_training(row, name) is not None for row in measured(report, name))


def _tabulated(report: Mapping[str, Any]) -> list[str]:
    """The metrics that some variant has a value of."""
    return [name for name in report["metrics"] if measured(report, name)]


def _comparison(report: Mapping[str, Any], name: str, comparison: Mapping[str, Any] | None) -> list[str]:
    if name == report["reference"]:
        return ["reference", "", ""]
    if comparison is None:
        return [figures.MISSING] * 3
    if comparison["difference"] is None:
        return [figures.MISSING, figures.MISSING, comparison["verdict"]]
    difference = f"{100 * comparison['difference']:+.2f}"
    if comparison["low"] is not None:
        difference += f" ({100 * comparison['low']:+.2f} to {100 * comparison['high']:+.2f})"
    difference += _from_another(report, comparison)
    p_value = figures.MISSING if comparison["p_corrected"] is None else f"{comparison['p_corrected']:.2g}"
    return [difference, p_value, comparison["verdict"]]


def _from_another(report: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """Names the row that a row is compared with where it is not the reference."""
    return "" if comparison["against"] == report["reference"] else f" from {comparison['against']}"


def _interval(low: float | None, high: float | None) -> str:
    return figures.MISSING if low is None else f"{figures.percent(low)} to {figures.percent(high)}"


def _explained(row: Mapping[str, Any]) -> str:
    text = "; ".join(part for part in (_settings(row["changes"]), row["note"]) if part)
    return (f": {text}" if text else "") + (f". `{row['command']}`" if row["command"] else "")


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}={value!r}" if isinstance(value, str) else f"{name}={as_text(value)}"
        for name, value in renamed(values).items()
    )


def _residuals(report: Mapping[str, Any]) -> str:
    texts = [
        f"{100 * one['std']:.2f} with {counted(one['degrees'], 'degree')} of freedom ({METRICS[name]})"
        for name, one in report["residuals"].items()
        if one is not None
    ]
    return " and ".join(texts)


def _conditions(report: Mapping[str, Any]) -> str:
    what = f"{figures.dataset_name(report['dataset'])}, budget {report['budget']}"
    if not report["variants"]:
        return f"{what}: no job is finished."
    counts = [f"{count:,}" for count in report["num_train"]], [f"{count:,}" for count in report["num_validation"]]
    comparisons = [figure["comparison"] for row in report["variants"] for figure in row["measured"].values()]
    is_pooled = any(comparison["is_pooled"] for comparison in comparisons if comparison is not None)
    spread = (
        f"with fewer than {statistics.FEW_PAIRS} seeds their standard deviation is pooled over all variants; that of a "
        f"single value is {_residuals(report)}"
        if is_pooled
        else "the tests are paired t-tests"
    )
    return (
        f"{what}: {' or '.join(counts[0])} training and {' or '.join(counts[1])} validation images. "
        f"Differences are paired by seed; {spread}. Correction: {report['correction']}."
        + figures.split_note_sentence(report)
    )


def origin(report: Mapping[str, Any]) -> str:
    """One line: the command, and the commits, machines and precisions of the runs."""
    parts = (report["git_commit"], report["device"], report["precision"])
    origins = "; ".join(" and ".join(str(value) for value in part) for part in parts if part) or "nothing finished"
    return f"Run: `{report['command']}`, {origins}"
