"""The report of a tuner session as a Markdown page and on the terminal; needs `report.json` alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from models.reporting import figures, table
from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column
from tuning import statistics
from tuning.sessions.folder import COMPLETED, ranked, rung_epochs
from tuning.sessions.trade_offs import objectives

SHOWN_TRIALS = 20
FRONT = "No other trial is as good as one of these in every objective and better in one."

Record = Mapping[str, Any]


def markdown(report: Mapping[str, Any], pictures: Sequence[str] = ()) -> str:
    """The report as a page that shows the pictures, files in the page's folder."""
    warning = figures.stand_in_warning(report["dataset"])
    lines = [f"# Tuner session: space {report['space']}, {report['tuner']}", ""]
    lines += [f"**{warning}.**", ""] if warning else []
    lines += [summary(report), ""]
    lines += [*rung_lines(report), ""] if rung_lines(report) else []
    if names := several(report):
        lines += ["## Pareto front", "", FRONT, "", *markdown_table.lines(front_columns(names), front(report)), ""]
        lines += [f"## Trials by {report['objective']} accuracy", ""]
    lines += [*markdown_table.lines(TRIAL_COLUMNS, _best_trials(report)), ""]
    if report["importance"]:
        lines += ["## Importance" + (f" for {report['objective']} accuracy" if names else ""), ""]
        lines += [*markdown_table.lines(SHARE_COLUMNS, report["importance"].items()), ""]
    if report["retrained"]:
        best = report["best"] and report["best"]["id"]
        which = "The best trial" if report["retrained"]["trial"] == best else f"Trial {report['retrained']['trial']}"
        lines += [f"## {which}, retrained", "", *retrained_lines(report["retrained"]), ""]
    failed = [trial for trial in report["trials"] if trial["status"] != COMPLETED]
    lines += ["## Failed", "", *(f"- {trial['id']}: {trial['reason']}" for trial in failed), ""] if failed else []
    lines += [line for picture in pictures for line in (f"![{picture}]({picture})", "")]
    lines.append(origin(report))
    return "\n".join(lines) + "\n"


def show(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the best trials, or the Pareto front, and the summary."""
    console = table.console_of(report["dataset"], console)
    if names := several(report):
        texts, title = markdown_table.cells(front_columns(names), front(report)), "Pareto front"
    else:
        texts, title = markdown_table.cells(TRIAL_COLUMNS, _best_trials(report)), None
    console.print(table.of_texts(texts, title, words=["hyperparameters"]))
    for line in (
        summary(report),
        *rung_lines(report),
        *(retrained_lines(report["retrained"]) if report["retrained"] else ()),
    ):
        console.print(Text(line), soft_wrap=True)


def origin(report: Mapping[str, Any]) -> str:
    """One line: the command and the commit."""
    return f"Run: `{report['command']}`, {report['git_commit']}"


def summary(report: Mapping[str, Any]) -> str:
    """What was searched, in how many trials and minutes, in which precision."""
    completed = [trial for trial in report["trials"] if trial["status"] == COMPLETED]
    names = several(report) or [report["objective"]]
    aims = " and ".join(_aim(report, name) for name in names)
    aim = f"objectives are {aims}" if len(names) > 1 else f"objective is {aims}"
    precisions = ", ".join(dict.fromkeys(trial["precision"] for trial in completed)) or "none"
    return (
        f"{figures.dataset_name(report['dataset'])}: {len(completed)} of {len(report['trials'])} trials completed, in "
        f"{report['spent_s'] / 60:.0f} min{_petaflop(report)}; the {aim} at a "
        f"trial's end. Precision of the layers: {precisions}." + figures.split_note_sentence(report)
    )


def _aim(report: Mapping[str, Any], name: str) -> str:
    """What an objective is, in words."""
    if not objectives.is_maximized(name):
        return f"{name} (minimized)"
    words = "the mean of fine and coarse" if name == "both" else name
    if name == "both" and report["fine_weight"] != 0.5:
        words = f"{report['fine_weight']:g} x fine + {1 - report['fine_weight']:g} x coarse"
    return f"{words} accuracy on validation"


def several(report: Mapping[str, Any]) -> list[str]:
    """The objectives of a session that has several; empty where it has one."""
    return list(report["objectives"]) if report.get("front") is not None else []


def front(report: Mapping[str, Any]) -> list[Record]:
    """The trials of the Pareto front."""
    by_id = {trial["id"]: trial for trial in report["trials"]}
    return [by_id[trial_id] for trial_id in report["front"]]


def front_columns(names: Sequence[str]) -> list[Column[Record]]:
    """The columns of a table of trials with several objectives."""

    def objective(name: str) -> Column[Record]:
        return Column(objectives.heading(name), lambda record: objectives.text(name, record["objectives"][name]))

    return [
        Column("trial", lambda record: record["id"]),
        *map(objective, names),
        Column("epochs", lambda record: f"{record['epochs']:g}"),
        Column("seconds", lambda record: f"{record['seconds']:.0f}"),
        Column("hyperparameters", lambda record: values_text(record["hyperparameters"])),
    ]


def _petaflop(report: Mapping[str, Any]) -> str:
    """The arithmetic of a session; "" in reports of earlier versions."""
    spent = report.get("spent_petaflop")
    return f" and {figures.brief(spent)} PFLOP of training" if spent else ""


def rung_lines(report: Mapping[str, Any]) -> list[str]:
    """Markdown list items: the number of trials of each length in Hyperband's brackets; a best trial that is short."""
    brackets: dict[int, Counter[int]] = {}
    for trial in report["trials"]:
        if "tuner/bracket" in trial["hyperparameters"]:
            brackets.setdefault(trial["hyperparameters"]["tuner/bracket"], Counter())[rung_epochs(trial)] += 1
    lines = []
    for number, lengths in sorted(brackets.items(), reverse=True):
        rungs = ", ".join(f"{lengths[epochs]} of {epochs:g}" for epochs in sorted(lengths))
        lines.append(f"- trials of bracket {number}: {rungs} epochs")
    best, max_epochs = report["best"], report.get("max_epochs", 0)  # 0: a report of an earlier version
    if best and 0 < rung_epochs(best) < max_epochs:
        full = next((trial for trial in ranked(report["trials"]) if rung_epochs(trial) == max_epochs), None)
        other = f"trial {full['id']}, {figures.percent(full['objective'])} %" if full else "there is none"
        epochs = f"{rung_epochs(best):g} of {max_epochs} epochs"
        lines.append(f"- the best trial was trained for {epochs}; the best of full length: {other}")
    return lines


def _best_trials(report: Mapping[str, Any]) -> list[tuple[int, Record]]:
    return list(enumerate(ranked(report["trials"])[:SHOWN_TRIALS], start=1))


def values_text(hyperparameters: Mapping[str, Any]) -> str:
    """Hyperparameters as text, without Hyperband's entries among them."""
    values = {name: value for name, value in hyperparameters.items() if not name.startswith("tuner/")}
    return ", ".join(f"{name}={_brief(value)}" for name, value in values.items())


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _accuracy(name: str) -> Column[tuple[int, Record]]:
    def text(row: tuple[int, Record]) -> str:
        return figures.percent(row[1][name]) if row[1][name] is not None else ""

    return Column(f"{name} (%)", text, is_optional=True)


TRIAL_COLUMNS: list[Column[tuple[int, Record]]] = [
    Column("rank", lambda row: str(row[0])),
    Column("trial", lambda row: row[1]["id"]),
    *map(_accuracy, ("objective", "fine", "coarse")),
    Column("epochs", lambda row: f"{row[1]['epochs']:g}"),
    Column("seconds", lambda row: f"{row[1]['seconds']:.0f}"),
    Column("hyperparameters", lambda row: values_text(row[1]["hyperparameters"])),
]
SHARE_COLUMNS: list[Column[tuple[str, float]]] = [
    Column("hyperparameter", lambda row: row[0]),
    Column("share", lambda row: f"{100 * row[1]:.0f} %"),
]


def retrained_lines(retrained: Mapping[str, Any]) -> list[str]:
    """Markdown list items: the objective by seed, differences from the best trial, and its test accuracies."""
    longer = f"{retrained.get('longer_epochs') or 0:g} epochs, as many as trunk and heads together"
    words = {
        "untuned": "the untuned preset",
        "untuned_longer": f"the untuned preset for {longer}",
        "tuned": f"trial {retrained['trial']}, retrained",
        "tuned_float32": "that trial in float32",
    }
    lines = []
    for name, text in words.items():
        if name in retrained:
            summary = statistics.summarise(list(retrained[name].values()))
            spread = figures.spread(summary.mean, summary.std)
            lines.append(f"- {text}: {spread} % on validation, seeds {', '.join(retrained[name])}")
    lines += [
        f"- trial {retrained['trial']} minus {words[name]}: {_difference(retrained['tuned'], retrained[name])}"
        for name in words
        if name != "tuned" and name in retrained
    ]
    known = [f"{name} {figures.percent(value)} %" for name, value in retrained["test"].items() if value is not None]
    lines.append(f"- that trial on test: {', '.join(known)}, mean over the seeds")
    return lines


def _difference(values: Mapping[str, float], others: Mapping[str, float]) -> str:
    """The mean difference with its 95 % interval, where there are seeds enough, and that of each seed, in points."""
    pair = [{int(seed): value for seed, value in one.items()} for one in (values, others)]
    compared = statistics.compare(pair[0], pair[1])
    by_seed = ", ".join(f"{100 * (values[seed] - other):+.2f}" for seed, other in others.items() if seed in values)
    if compared.difference is None or compared.low is None or compared.high is None:
        return f"{by_seed} points by seed"
    interval = f"{100 * compared.low:+.2f} to {100 * compared.high:+.2f}"
    return f"{100 * compared.difference:+.2f} points ({interval}); by seed {by_seed}"
