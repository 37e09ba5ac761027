"""Every row of the original study is there, with our figure or the fact that it has not been run."""

import json

import pytest

from benchmarks.publish import original_study
from pipeline.data_config import SourceConfig
from tests.tuning import stub_training
from tuning.studies import catalogue
from tuning.studies import report as study_report


def write_report(folder, study):
    folder = folder / study.name
    folder.mkdir()
    jobs = study.jobs(study.variants, "smoke", range(2), SourceConfig(dataset="shapes100_tiny"))
    results = [
        {
            "variant": job.label,
            "seed": job.train.seed,
            "status": "finished",
            "config": job.config,
            **stub_training.outcome(job),
        }
        for job in jobs
    ]
    report = study_report.document(study, "smoke", "shapes100_tiny", results)
    (folder / "report.json").write_text(json.dumps(report))


def rows_of(lines):
    return {cells[0]: cells for cells in (line.strip("| ").split(" | ") for line in lines)}


def test_models_have_each_split_that_they_were_evaluated_on(tmp_path):
    runs = [{"report": {"split": "test", "fine_accuracy": accuracy}} for accuracy in (0.61, 0.63)]
    (tmp_path / "original_fine-cifar100.json").write_text(json.dumps({"runs": runs}))
    evaluations = {split: {"coarse_accuracy": accuracy} for split, accuracy in (("test", 0.71), ("validation", 0.72))}
    report = {"split": "test", "coarse_accuracy": 0.71, "evaluations": evaluations}
    (tmp_path / "original_coarse-cifar100.json").write_text(json.dumps({"report": report}))
    rows = rows_of(original_study.models(tmp_path))
    assert rows["final model, fine"][1:] == [
        "`python -m models.train --preset=original_fine`",
        "validation 61.98, test 61.88",
        "test 62.00, mean of 2 seeds",
    ]
    assert rows["final model, coarse"][2:] == ["test 72.49", "validation 72.00, test 71.00"]
    assert rows["Model 1, fine"][3] == "not run yet"


def test_model_that_memorises_has_its_training_accuracy(tmp_path):
    document = {"report": {"split": "validation", "fine_accuracy": 0.28}, "rows": [{"train_fine_accuracy": 0.947}]}
    (tmp_path / "baseline-cifar100.json").write_text(json.dumps(document))
    assert rows_of(original_study.models(tmp_path))["baseline CNN, fine"][3] == "training 94.70, validation 28.00"


@pytest.fixture(scope="module")
def hypotheses(tmp_path_factory):
    """The lines drawn from reports of two studies; the others have not been run."""
    folder = tmp_path_factory.mktemp("studies")
    for name in ("pooling", "single_vs_joint"):
        write_report(folder, catalogue.find(name))
    return original_study.hypotheses(folder)


def test_rows_have_the_original_figures_and_differences(hypotheses):
    rows = rows_of(hypotheses)
    assert rows["max"][1:4] == ["29.65 ± 1.54", "50.00 ± 0.00", "reference"]
    assert rows["average"][1] == "33.97 ± 1.06"
    assert "+4.32" in rows["average"]
    assert rows["max_4_blocks"][1] == "-"  # what mixed_4_blocks is compared with
    assert any(" from max_4_blocks" in cell for cell in rows["mixed_4_blocks"])


def test_each_metric_has_its_table(hypotheses):
    first, second = (hypotheses.index(f"{metric} accuracy (%):") for metric in ("Fine", "Coarse"))
    fine, coarse = rows_of(hypotheses[first:second]), rows_of(hypotheses[second:])
    assert fine["fine_alone"][1] == "61.98"
    assert coarse["coarse_alone"][1] == "70.47"
    assert {"joint", "two_models"} <= fine.keys() & coarse.keys()


def test_study_that_has_not_been_run_says_so(hypotheses):
    (line,) = (line for line in hypotheses if "--study=dropout" in line)
    assert "not run yet" in line


def test_every_study_that_the_original_measured_is_there():
    measured = {
        study.name
        for study in catalogue.STUDIES.values()
        if any(variant.original_mean is not None for variant in study.variants)
    }
    assert measured < set(original_study.QUESTIONS) <= set(catalogue.STUDIES)
