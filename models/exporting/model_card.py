"""`MODEL_CARD.md`: the data, intended use, accuracy and limits of a model, from the facts of its run.

The sections are those of Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993), as far as a run
has facts for them. Every text that a data set or a configuration brings is escaped for Markdown.
"""

import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from models.config import preset_changes
from models.exporting import checks
from models.reporting import figures, jinja_templates
from models.runs.folder import RunFolder
from pipeline.common.config import as_text
from pipeline.datasets import builtin, naming
from pipeline.datasets.description import Description

MAX_LISTED = 200  # class names
_SPECIAL = re.compile(r"([\\`*_\[\]|~$^:])")  # a colon too, or a URL would become a link


def escaped(value: Any) -> str:
    """A text as Markdown and HTML show it, in one line; `Markup` and numbers stay."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return str(value)
    text = " ".join(value.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", text)


# Not escaped for HTML: `finalize` escapes for Markdown.
TEMPLATES = jinja_templates.beside(__file__, autoescape=False, finalize=escaped, keep_trailing_newline=True)


def render(run: RunFolder, export: Mapping[str, Any]) -> str:
    """The card of a finished run and of its export, the content of `export.json`."""
    report, description = run.report(), run.description()
    data, train = run.configs()
    return TEMPLATES.get_template("model_card.md.jinja").render(
        report=report,
        description=description,
        train=train,
        recipe=figures.recipe(report),
        warning=figures.stand_in_warning(report["dataset"]),
        classes=description.classes,
        is_listed=len(description.classes.fine) <= MAX_LISTED,
        command=_code(_command(run, description)),
        accuracies=_accuracies(report),
        calibration=run.evaluated("calibration"),
        answers=_answers(report),
        export=export,
        percent=lambda value: Markup(figures.percent(value)),
        brief=lambda value: Markup(figures.brief(value)),
        int8=next((row for row in export["formats"] if row.get("least_exact_layers")), None),
        data_licence=_data_licence(data.dataset),
    )


def _accuracies(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The accuracies of each evaluated split, with their intervals."""
    evaluations = report.get("evaluations") or {report["split"]: report}
    return [
        {
            "split": split,
            "answer": name,
            "accuracy": accuracy,
            "interval": checks.interval(accuracy, evaluation["examples_evaluated"]),
            "examples": evaluation["examples_evaluated"],
        }
        for split, evaluation in evaluations.items()
        for answer, name in _answers(report).items()
        if (accuracy := evaluation.get(f"{answer}_accuracy")) is not None and evaluation.get("examples_evaluated")
    ]


def _answers(report: Mapping[str, Any]) -> Mapping[str, str]:
    """The words for what the model answers."""
    return figures.ANSWERS if report["coarse_source"] else {"fine": "class"}


def _command(run: RunFolder, description: Description) -> str:
    """The command that trains such a model anew; a folder of images is named without its path."""
    data, train = run.configs()
    changes = {**preset_changes(data, train, description), "dataset": data.shown_name, "seed": train.seed}
    if changes.get("init_from"):
        changes["init_from"] = pathlib.Path(changes["init_from"]).name
    flags = [f"--{name}={as_text(value)}" for name, value in sorted(changes.items())]
    return shlex.join(["python", "-m", "models.train", f"--preset={train.preset}", *flags])


def _code(text: str) -> Markup:
    """A text for a fenced block, which it cannot end."""
    return Markup(" ".join(text.split()).replace("```", "'''"))


def _data_licence(dataset: str) -> str:
    if dataset in builtin.VERSIONS and dataset not in builtin.GENERATED:
        return "cifar"
    return "own" if dataset.startswith((naming.FOLDER, naming.TFDS)) else "generated"
