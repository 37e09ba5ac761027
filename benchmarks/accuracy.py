"""Report the mean and standard deviation of accuracies over the seeds of one recipe.

    python -m models.train --preset=tiny --seed=0 --run_dir=runs/tiny-0        # and seeds 1, 2
    python -m models.evaluate --run_dir=runs/tiny-0 --split=test
    python -m benchmarks.accuracy --run_dirs=runs/tiny-0,runs/tiny-1,runs/tiny-2 --out=FILE.json

Rows: `ours/PRESET/KEY` of the report's accuracies, in percent; the JSON also holds each run's commands and report.
"""

import statistics
from typing import Any

from benchmarks.harness import cli_output, results
from benchmarks.harness.labels import Labels
from models.runs.folder import RunFolder
from pipeline.common import app, errors

flags = app.Flags()
RUN_DIRS = flags.DEFINE_path_list(
    "run_dirs", "folders of finished runs, evaluated on test, which differ only in their seed"
)
cli_output.define_flags(flags)

SAME = (
    "dataset",
    "fingerprints",
    "evaluated_records",
    "preset",
    "preset_changes",
    "precision",
    "num_train",
    "split",
    "epochs",
    "git_commit",
)
COSTS = ("train_petaflop", "executed_petaflop", "optimizer_petaflop", "num_parameters")


def main() -> None:
    """Collect the runs and publish their rows."""
    cli_output.check("accuracy")
    runs = [_run(RunFolder(path, "run_dirs")) for path in RUN_DIRS.value]
    if not runs:
        raise errors.BadArgumentError("run_dirs is missing: expected --run_dirs=FOLDER,FOLDER of evaluated runs")
    reports = [run["report"] for run in runs]
    _check_one_recipe(reports)
    app.load_tensorflow()
    rows = [_row(key, reports) for key in reports[0] if key.endswith("accuracy") and reports[0][key] is not None]
    rows += [
        results.row(_labels(key, reports), "", [reports[0][key]], None)
        for key in COSTS
        if key in reports[0]  # `executed_petaflop` is not in reports of earlier versions
    ]
    cli_output.finish("accuracy", rows, runs=runs)


def _run(folder: RunFolder) -> dict[str, Any]:
    """The commands that train and evaluate a run, and its report, which must be finished and on test."""
    folder.check_finished()
    report = folder.report()
    if report["split"] != "test":
        raise errors.FailedError(
            f"{folder.path}: evaluated on {report['split']}; run models.evaluate --split=test first"
        )
    values = {"preset": report["preset"], **report["preset_changes"], "precision": report["precision"]}
    values |= {"dataset": report["dataset"]} if report["dataset"] != "cifar100" else {}
    flags_given = " ".join(f"--{name}={value}" for name, value in values.items())
    run_dir = f"--run_dir=runs/{report['preset']}-{report['seed']}"
    train = f"python -m models.train {flags_given} --seed={report['seed']} {run_dir}"
    return {"commands": [train, f"python -m models.evaluate {run_dir} --split=test"], "report": report}


def _check_one_recipe(reports: list[dict[str, Any]]) -> None:
    for key in SAME:
        values = sorted({str(report.get(key)) for report in reports})
        if len(values) > 1:
            raise errors.BadArgumentError(f"run_dirs: {key} is {' and '.join(values)}; expected one recipe")
    seeds = [report["seed"] for report in reports]
    if len(set(seeds)) < len(seeds):
        raise errors.BadArgumentError(f"run_dirs: seeds {seeds}; expected each once")


def _row(key: str, reports: list[dict[str, Any]]) -> results.Row:
    values = [100 * report[key] for report in reports]
    deviation = round(statistics.stdev(values), 3) if len(values) > 1 else None
    mean = round(statistics.mean(values), 3)
    return results.row(_labels(key, reports), "%", values, mean=mean, standard_deviation=deviation)


def _labels(key: str, reports: list[dict[str, Any]]) -> Labels:
    return Labels.of("ours/{recipe}/{metric}", "report", recipe=reports[0]["preset"], metric=key)


if __name__ == "__main__":
    app.run(main, flags)
