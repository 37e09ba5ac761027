"""Our results on test are read from the committed files, seeds averaged."""

import json

import numpy as np
import pytest

from benchmarks.publish import our_results
from pipeline.common import errors
from tests.benchmarks.publish.reports import measured, report
from tests.conftest import ROOT


def read(tmp_path, **documents):
    for name, document in documents.items():
        (tmp_path / f"{name}-cifar100.json").write_text(json.dumps(document))
    return our_results.read(tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        {"command": "...", "report": report(), "rows": [{"epoch": 1, "train_fine_accuracy": 0.1}]},
        {"mean": {"fine_accuracy": [60.0, 0.1]}, "runs": [{"commands": ["..."], "report": report()}]},
        {"benchmark": "presets", "rows": [{"name": "ours/tiny", **report()}]},
    ],
)
def test_report_is_found_wherever_a_file_has_it(tmp_path, document):
    (recipe,) = read(tmp_path, any=document)
    assert (recipe.name, recipe.fine_percents) == ("tiny", [60.0])
    assert (recipe.petaflop, recipe.num_train) == (0.05, 40_000)


def test_what_is_no_test_of_cifar100_is_passed_over(tmp_path):
    passed_over = [
        report(split="validation", seed=1),
        report(dataset="shapes100", seed=2),
    ]
    (tmp_path / "other.json").write_text(json.dumps(report(preset="other")))
    assert [recipe.fine_percents for recipe in read(tmp_path, one=[*passed_over, report(seed=4)])] == [[60.0]]


def test_seeds_are_averaged_and_their_sample_deviation_taken(tmp_path):
    runs = [report(seed=seed, fine_accuracy=accuracy) for seed, accuracy in enumerate((0.60, 0.62, 0.64))]
    (recipe,) = read(tmp_path, tiny={"runs": [*runs, runs[0]]})  # one seed twice is one seed
    assert recipe.mean == pytest.approx(62.0)
    assert recipe.deviation == pytest.approx(2.0)


def test_one_seed_has_no_deviation():
    assert measured("quick", (59.8,), 0.053, 40_000).deviation is None


def test_recipes_are_named_by_what_they_change_and_by_their_images(tmp_path):
    whole = report(preset="fast", preset_changes={"num_validation": 0}, num_train=50_000, train_petaflop=0.3)
    longer = report(preset_changes={"epochs": 6.0}, train_petaflop=0.1)
    found = read(tmp_path, a=[whole, longer], b=report())
    assert [(recipe.name, recipe.num_train) for recipe in found] == [
        ("tiny", 40_000),
        ("tiny with epochs=6.0", 40_000),
        ("fast", 50_000),
    ]


def test_folder_without_results_is_told(tmp_path):
    with pytest.raises(errors.BadArgumentError, match=r"no \*-cifar100.json there has a report on test"):
        read(tmp_path, only=report(split="validation"))


def test_broken_file_is_told_by_name(tmp_path):
    (tmp_path / "x-cifar100.json").write_text("{")
    with pytest.raises(errors.BadArgumentError, match=r"x-cifar100\.json: is damaged"):
        our_results.read(tmp_path)


def test_own_results_are_those_that_were_recorded():
    found = {recipe.name: recipe for recipe in our_results.read(ROOT / "benchmarks" / "results")}
    recorded = json.loads((ROOT / "benchmarks" / "results" / "tiny-cifar100.json").read_text())
    percents = [100 * run["report"]["fine_accuracy"] for run in recorded["runs"]]
    assert len(percents) >= 3
    assert found["tiny"].mean == pytest.approx(np.mean(percents))
    assert found["tiny"].deviation == pytest.approx(float(np.std(percents, ddof=1)))


def test_table_has_the_command_the_accuracies_and_the_costs_of_each(tmp_path):
    whole = [report(seed=seed, preset_changes={"num_validation": 0}, fine_accuracy=0.6 + seed / 50) for seed in (0, 1)]
    coarse = report(preset="c", fine_accuracy=None, coarse_from_fine_accuracy=None, train_petaflop=0.1)
    coarse |= {"executed_petaflop": 0.07, "optimizer_petaflop": 0.01}
    rows = [line.strip("| ").split(" | ") for line in our_results.table(read(tmp_path, a=whole, b=coarse))[2:]]
    assert rows[0][:6] == [
        "`python -m models.train --preset=tiny --num_validation=0`",
        *("2", "61.00 ± 1.41", "75.00 ± 0.00", "0.0500", "-"),
    ]
    assert rows[1] == [
        "`python -m models.train --preset=c`",
        "1",
        "-",
        "70.00",
        "0.100",
        "0.0800",
        "100",
        "1,500",
        "1,000,000",
        "a processor",
    ]


def test_figures_of_earlier_versions_are_marked(tmp_path):
    (row,) = our_results.table(read(tmp_path, a=[report(fingerprints=None)]))[2:]
    assert row.strip("| ").endswith("split by file order")
