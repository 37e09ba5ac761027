"""Every row of the original study is there, with our figure or the fact that it has not been run."""

import functools
import json
import re

import pytest

from benchmarks.publish import original_study
from pipeline.data_config import SourceConfig
from tests.conftest import ROOT
from tests.tuning import stub_training
from tuning import statistics
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
    report = study_report.document(study, "smoke", SourceConfig(), results)
    (folder / "report.json").write_text(json.dumps(report))


def rows_of(lines):
    return {cells[0]: cells for cells in (line.strip("| ").split(" | ") for line in lines)}


def test_models_have_each_split_that_they_were_evaluated_on(tmp_path):
    known = {"fingerprints": {"records": "a", "order": "a"}}
    runs = [{"report": {"split": "test", "fine_accuracy": accuracy, **known}} for accuracy in (0.61, 0.63)]
    (tmp_path / "original_fine-cifar100.json").write_text(json.dumps({"runs": runs}))
    evaluations = {split: {"coarse_accuracy": accuracy} for split, accuracy in (("test", 0.71), ("validation", 0.72))}
    report = {"split": "test", "coarse_accuracy": 0.71, "evaluations": evaluations, **known}
    (tmp_path / "original_coarse-cifar100.json").write_text(json.dumps({"report": report}))
    rows = rows_of(original_study.models(tmp_path))
    assert rows["final model, fine"][1:] == [
        "`python -m models.train --preset=original_fine`",
        "validation 61.98, test 61.88",
        "test 62.00, mean of 2 seeds",
    ]
    assert rows["final model, coarse"][2:] == ["test 72.49", "validation 72.00, test 71.00"]
    del report["fingerprints"]
    (tmp_path / "original_coarse-cifar100.json").write_text(json.dumps({"report": report}))
    marked = rows_of(original_study.models(tmp_path))["final model, coarse"][3]
    assert marked == "validation 72.00, test 71.00 (split by file order)"
    assert rows["Model 1, fine"][3] == "not run yet"


def test_model_that_memorises_has_its_training_accuracy(tmp_path):
    document = {"report": {"split": "validation", "fine_accuracy": 0.28}, "rows": [{"train_fine_accuracy": 0.947}]}
    (tmp_path / "baseline-cifar100.json").write_text(json.dumps(document))
    assert rows_of(original_study.models(tmp_path))["baseline CNN, fine"][3].startswith(
        "training 94.70, validation 28.00"
    )


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


ANSWERS = (
    (ROOT / "docs" / "original_study.md").read_text(encoding="utf-8").partition("## Models")[0].split("\n- **")[1:]
)
# A clause with one of these is a claim; the row in it is what others are compared with.
VERDICTS = {
    statistics.HIGHER: r"higher than `([^`]+)`",
    statistics.LOWER: r"lower than `([^`]+)`",
    statistics.NOT_SHOWN: r"no difference from `([^`]+)` is shown",
}


def claims(answer):
    """The (study, metric or "", row, row that it is compared with, verdict) of an answer's clauses."""
    found, study, metric = [], "", ""
    for clause in re.split(r"(?<=[;:.)])\s", " ".join(answer.split())):
        if named := re.search(r"\(`(\w+)`\)", clause):
            study, metric = named[1], ""
        if named := re.match(r"(Fine|Coarse) accuracy:", clause):
            metric = {"Fine": "fine_accuracy", "Coarse": "own_coarse_accuracy"}[named[1]]
        for verdict, pattern in VERDICTS.items():
            if against := re.search(pattern, clause):
                rows = [row for row in re.findall(r"`([^`]+)`", clause) if row not in (study, against[1])]
                found += [(study, metric, row, against[1], verdict) for row in rows]
    return found


@functools.cache
def recomputed(study):
    """{(metric, row): (row that it is compared with, verdict)} from the values in the study's committed report."""
    report = json.loads((ROOT / "docs" / "studies" / study / "report.json").read_text(encoding="utf-8"))
    rows = [row for row in report["variants"] if row["command"]]  # the others combine several
    compared = {}
    for metric in report["metrics"]:
        values = {row["name"]: row["measured"][metric]["values"] for row in rows}
        residual = statistics.residual([by_seed for by_seed in values.values() if by_seed])
        for row in rows:
            if row["measured"][metric]["comparison"]:
                against = row["measured"][metric]["comparison"]["against"]
                comparison = statistics.compare(values[row["name"]], values[against], residual)
                compared[metric, row["name"]] = against, comparison
    judged = statistics.judge([comparison for _, comparison in compared.values()])
    pairs = zip(compared.items(), judged, strict=True)
    return {key: (against, comparison.verdict) for (key, (against, _)), comparison in pairs}


def is_right(claim):
    study, metric, row, against, verdict = claim
    verdicts = recomputed(study)
    (only,) = {metric} if metric else {known for known, _ in verdicts}
    return verdicts.get((only, row)) == (against, verdict)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.partition("*")[0])
def test_answer_follows_from_the_rows_that_it_names(answer):
    assert claims(answer)
    assert [claim for claim in claims(answer) if not is_right(claim)] == []
    opposite = {"lower than": "higher than", "higher than": "no difference from", "no difference from": "lower than"}
    turned = re.sub("|".join(opposite), lambda words: opposite[words[0]], " ".join(answer.split()))
    turned = re.sub(r"(no difference from `[^`]+`)(?! is shown)", r"\1 is shown", turned)
    assert len(claims(turned)) == len(claims(answer))
    assert not any(map(is_right, claims(turned)))


def test_there_are_eight_answers_of_all_studies_that_the_page_has():
    assert len(ANSWERS) == 8
    assert {study for answer in ANSWERS for study, *_ in claims(answer)} == set(original_study.QUESTIONS)
