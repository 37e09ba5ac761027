"""Run a study: train variants of one recipe with the same seeds and test their differences.

    python -m tuning.study --study=fast_ablation --budget=short

Prints the progress and a table of results. Writes report.json, report.md and plots to the study's folder. The same
command resumes an interrupted study; for a finished study it draws the report again.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from models.training import preconditions
from pipeline import contents
from pipeline.common import app, config, cpu, errors, files, locked_folder, paths, progress
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from tuning.studies import catalogue, design
from tuning.studies import folder as study_folder
from tuning.studies.design import Study
from tuning.studies.folder import StudyFolder
from tuning.workers.job import MAX_PROCESSES, MAX_SEEDS, TrainingJob

MAX_WORKERS = 4  # each takes about a GiB

flags = app.Flags(SourceConfig)
STUDY = flags.DEFINE_string("study", "", f"study to run: {', '.join(catalogue.STUDIES)}")
STUDY_DIR = flags.DEFINE_path("study_dir", "", "folder of the study; default: runs/studies/STUDY-DATASET-BUDGET")
BUDGET = flags.DEFINE_enum(
    "budget",
    design.DEFAULT_BUDGET,
    design.BUDGETS,
    "length of training: smoke only checks that the study runs, short suits two cores, full takes days",
)
REPEATS = flags.DEFINE_integer(
    "repeats", None, "number of seeds per variant; default: the study's", lower_bound=1, upper_bound=MAX_SEEDS
)
SEED = flags.DEFINE_integer("seed", 0, "first random seed; the others follow it", lower_bound=0)
VARIANTS = flags.DEFINE_list("variants", [], "variants to train, separated by commas; default: all")
WORKERS = flags.DEFINE_integer(
    "workers",
    None,
    "number of jobs trained in parallel, each on its share of the processors; default: 1 on a GPU and for studies of "
    f"large networks (except with --budget=smoke), otherwise one per processor, at most {MAX_WORKERS}",
    lower_bound=1,
    upper_bound=MAX_PROCESSES,
)


def main() -> None:
    """Run the jobs that are not finished, then report."""
    source = config.build(SourceConfig, config.given_flags())
    source = dataclasses.replace(source, data_dir=str(prepared.root(source.data_dir)))
    study = _study(source)
    variants = study.chosen(VARIANTS.value)
    for job in study.jobs(variants, BUDGET.value, [SEED.value], source):
        preconditions.check(job.data, job.train)
    path = _study_dir(study, source)
    locked_folder.check_available(path, flag="study_dir", identity="study.json")  # before minutes of preparing data
    if prepared.describe(source.data_dir, source.prepared_name) is None:  # the jobs depend on what the data are
        source = _prepared(source)
        study = _study(source)
        variants = study.chosen(VARIANTS.value)
    seeds = range(SEED.value, SEED.value + (REPEATS.value or study.repeats[BUDGET.value]))
    jobs = study.jobs(variants, BUDGET.value, seeds, source)
    path = _study_dir(study, source)
    if not prepared.is_prepared(source.data_dir, source.prepared_name) and not all(
        map(StudyFolder(path).is_finished, jobs)
    ):
        prepared.check_writable(source.data_dir)
    others = study.jobs(study.variants, BUDGET.value, seeds[:1], source)
    with study_folder.open_study(path, study.name, BUDGET.value, jobs, others) as folder:
        if not all(folder.is_finished(job) for job in jobs):
            _prepared(source)
            folder.settle_data(contents.fingerprints(prepared.folder(source.data_dir, source.prepared_name)))
            try:
                num_workers = WORKERS.value or _num_workers(study.is_side_by_side(BUDGET.value))
                _run(folder, jobs, num_workers, study.is_equal_cost(BUDGET.value))
            except errors.InterruptedRunError:
                _report(study, source, folder)
                raise
        _report(study, source, folder)
        _check_failures(folder, jobs)


def _study(source: SourceConfig) -> Study:
    """The study of the flags, for the levels of labels of the data set, as far as it is known yet."""
    study, description = catalogue.find(STUDY.value), prepared.describe(source.data_dir, source.prepared_name)
    return study.for_levels(description.classes.names) if description else study


def _study_dir(study: Study, source: SourceConfig) -> pathlib.Path:
    default = os.path.join("runs", "studies", f"{study.name}-{source.prepared_name}-{BUDGET.value}")
    return pathlib.Path(STUDY_DIR.value or default)


def _prepared(source: SourceConfig) -> SourceConfig:
    from pipeline import prepare

    return dataclasses.replace(source, dataset=prepare.prepare(source))


def _num_workers(is_side_by_side: bool) -> int:
    has_gpu = pathlib.Path("/dev/nvidiactl").exists()  # asking TensorFlow takes seconds and memory
    return min(cpu.count(), MAX_WORKERS) if is_side_by_side and not has_gpu else 1


def _run(folder: StudyFolder, jobs: Sequence[TrainingJob], num_workers: int, compares_memory: bool) -> None:
    from tuning.studies import runner

    try:
        runner.run(folder, jobs, num_workers=num_workers, compares_memory=compares_memory)
    except errors.InterruptedRunError as error:
        num_finished = sum(folder.is_finished(job) for job in jobs)
        raise errors.InterruptedRunError(
            f"interrupted; {num_finished} of {len(jobs)} jobs are finished; run the same command again to resume"
        ) from error


def _report(study: Study, source: SourceConfig, folder: StudyFolder) -> None:
    from tuning.studies import page as study_page
    from tuning.studies import report as study_report

    report = study_report.document(study, BUDGET.value, source, folder.results())
    report["precision_reason"] = folder.precision_reason
    folder.write_report(report)
    study_page.show(report)
    _draw(report, folder.path)


def _draw(report: dict[str, Any], folder: pathlib.Path) -> None:
    from tuning.studies import page as study_page
    from tuning.studies import plots

    page = folder / "report.md"
    with progress.task(f"drawing the plots of {page}"):
        pictures = plots.draw(report, folder)
    files.write_text(page, study_page.page(report, [path.name for path in pictures]))
    for path in pictures:
        print(f"written: {paths.shown(path)}")
    print(f"Report: {paths.shown(page)}")


def _check_failures(folder: StudyFolder, jobs: Sequence[TrainingJob]) -> None:
    failed = [job for job in jobs if not folder.is_finished(job)]
    if failed:
        result = folder.result(failed[0])
        assert result is not None
        raise errors.FailedError(
            f"{len(failed)} of {len(jobs)} jobs failed, such as {failed[0].name}: {result['reason']}; "
            "run the same command again to retry them"
        )


def run() -> None:
    """The console script `cifar-study`."""
    app.run(main, flags, work="the study")


if __name__ == "__main__":
    run()
