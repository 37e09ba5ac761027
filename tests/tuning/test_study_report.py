"""The document of a study, and what is drawn from it alone."""

import io
import json
import re

import pytest
from rich.console import Console

from models import presets
from models.train_config import TrainConfig
from pipeline import errors
from pipeline.config import build
from pipeline.data_config import DataConfig, SourceConfig
from tests.tuning.stub_training import outcome
from tuning import statistics, studies, study_report

SEEDS = range(3)


def results(name, accuracy=lambda place, seed: 0.5 + 0.012 * place + 0.01 * seed + 0.001 * place * seed, **changes):
    """Finished cells of every variant of a study with three seeds; the place of a variant decides its accuracy."""
    study = studies.find(name)
    found = []
    for cell in study.cells(study.variants, "short", SEEDS, SourceConfig()):
        place = [variant.name for variant in study.variants].index(cell.variant)
        report = outcome(cell, accuracy(place, cell.train.seed), **changes)
        if cell.train.heads == "coarse":
            report["report"] |= {"fine_accuracy": None, "coarse_from_fine_accuracy": None, "coarse_source": "head"}
        found.append(
            {"variant": cell.variant, "seed": cell.train.seed, "status": "finished", "config": cell.config, **report}
        )
    return found


def document(name, found=None):
    found = results(name) if found is None else found
    return study_report.document(studies.find(name), "short", "cifar100", found, "python -m tuning.study")


@pytest.mark.parametrize("name", studies.STUDIES)
def test_document_of_every_study_is_json_and_reads_back_to_the_same_page(name):
    report = document(name)
    again = json.loads(json.dumps(report, allow_nan=False))
    assert study_report.markdown(again) == study_report.markdown(report)
    for result in (found := results(name)):
        del result["config"]["thaw_last_block"]  # of a version before there was this field
    assert document(name, found) == report
    assert [row["name"] for row in report["variants"]][: len(studies.find(name).variants)] == [
        variant.name for variant in studies.find(name).variants
    ]


def test_document_holds_values_statistics_costs_and_the_studys_figure():
    report = document("augmented_images")
    row = next(row for row in report["variants"] if row["name"] == "600000")
    measured = row["measured"]["fine_accuracy"]
    assert measured["values"] == {"0": pytest.approx(0.524), "1": pytest.approx(0.536), "2": pytest.approx(0.548)}
    assert measured["mean"] == pytest.approx(0.536)
    assert measured["study_mean"] == 0.6198
    assert measured["comparison"]["difference"] == pytest.approx(0.026)
    assert measured["comparison"]["verdict"] == statistics.HIGHER
    assert measured["comparison"]["p_corrected"] > measured["comparison"]["p_value"]
    assert (row["train_petaflop"], row["train_seconds"]) == (0.25, 100.0)
    assert report["correction"] == "Holm, over 4 comparisons"
    assert [epoch["fine_accuracy"] for epoch in row["curve"]] == pytest.approx([0.536 / 3, 0.536 * 2 / 3, 0.536])
    assert row["curve"][-1]["images"] == 18 * 256
    reference = report["variants"][0]["measured"]["fine_accuracy"]
    assert reference["comparison"] is None


def test_own_coarse_answer_is_the_one_that_the_report_names():
    report = outcome(None)["report"]
    assert study_report.metric(report, "own_coarse_accuracy") == report["coarse_from_fine_accuracy"]
    assert study_report.metric({**report, "coarse_source": "head"}, "own_coarse_accuracy") == report["coarse_accuracy"]


def test_two_models_answer_each_their_label_at_the_cost_of_both():
    report = document("single_vs_joint")
    rows = {row["name"]: row for row in report["variants"]}
    pair = rows["two_models"]
    assert pair["measured"]["fine_accuracy"]["mean"] == rows["fine_alone"]["measured"]["fine_accuracy"]["mean"]
    coarse = "own_coarse_accuracy"
    assert pair["measured"][coarse]["mean"] == rows["coarse_alone"]["measured"][coarse]["mean"]
    assert pair["train_petaflop"] == 0.5
    assert rows["coarse_alone"]["measured"]["fine_accuracy"]["values"] == {}
    assert rows["coarse_alone"]["measured"][coarse]["study_mean"] == 0.7047
    compared = rows["coarse_alone"]["measured"][coarse]["comparison"]
    assert pair["measured"][coarse]["comparison"] == compared is not None
    # fine: fine_alone; coarse: both single models. The pair's are theirs.
    assert report["correction"] == "Holm, over 3 comparisons"


def test_two_models_are_compared_and_paid_for_over_the_seeds_that_both_have():
    found = results("single_vs_joint")
    found = [one for one in found if (one["variant"], one["seed"]) != ("coarse_alone", 2)]
    for one in found:
        one["report"]["train_petaflop"] = 0.1 + one["seed"]
        one["report"]["fine_accuracy"] = one["report"]["fine_accuracy"] and 0.5 + (one["variant"] != "joint") * (
            0.01 + 0.01 * one["seed"]
        )
    report = document("single_vs_joint", found)
    rows = {row["name"]: row for row in report["variants"]}
    pair, coarse = rows["two_models"], "own_coarse_accuracy"
    assert pair["seeds"] == [0, 1]
    assert pair["train_petaflop"] == pytest.approx(2 * 0.6)
    compared = pair["measured"]["fine_accuracy"]["comparison"]
    assert (compared["num_pairs"], compared["difference"]) == (2, pytest.approx(0.015))
    assert pair["measured"]["fine_accuracy"]["mean"] == pytest.approx(0.515)
    assert rows["fine_alone"]["measured"]["fine_accuracy"]["comparison"]["difference"] == pytest.approx(0.02)
    assert pair["measured"][coarse]["comparison"] == rows["coarse_alone"]["measured"][coarse]["comparison"]
    assert report["correction"] == "Holm, over 4 comparisons"  # the pair's two seeds are a test of their own


def test_measured_on_test_is_refused():
    with pytest.raises(errors.FailedError, match="measured on test"):
        document("normalisation", results("normalisation", split="test"))


def test_failed_and_missing_cells_leave_the_rest_standing():
    found = results("normalisation")
    found[0] = {"variant": "unit", "seed": 0, "status": "failed", "reason": "fine_loss is nan", "config": {}}
    report = document("normalisation", found)
    rows = {row["name"]: row for row in report["variants"]}
    assert rows["unit"]["seeds"] == [1, 2]
    assert rows["standardise"]["measured"]["fine_accuracy"]["comparison"]["num_pairs"] == 2
    assert "- unit, seed 0: fine_loss is nan" in study_report.markdown(report)
    nothing = document("single_vs_joint", [])
    assert nothing["variants"] == []
    study_report.markdown(nothing)


def test_without_the_reference_nothing_is_compared():
    report = document("normalisation", [one for one in results("normalisation") if one["variant"] != "unit"])
    assert report["variants"][0]["measured"]["fine_accuracy"]["comparison"] is None
    assert report["correction"] == "Holm, over 0 comparisons"
    page = study_report.markdown(report)
    assert "| standardise | 3 | 52.30 ± 1.10 | 49.57 to 55.03 | - | - | - |" in page
    assert "| reference |" not in page
    assert "| unit | 3 | 51.00 ± 1.00 | 48.52 to 53.48 | reference |  |  |" in study_report.markdown(
        document("normalisation")
    )


def test_one_seed_needs_a_second():
    report = document("normalisation", results("normalisation")[:2])
    assert report["variants"][1]["measured"]["fine_accuracy"]["comparison"]["verdict"] == statistics.TOO_FEW
    assert "| standardise | 1 | 51.20 | - | +1.20 | - | needs 2 repeats |" in study_report.markdown(report)


def test_each_rows_command_trains_its_very_configuration():
    report = document("fast_ablation")
    study = studies.find("fast_ablation")
    for row in report["variants"]:
        given = dict(re.findall(r"--(\w+)=(\S*?)(?:'|\s|$)", row["command"]))
        cell = study.cell(study.variant(row["name"]), "short", 0, SourceConfig())
        for kind, config in ((DataConfig, cell.data), (TrainConfig, cell.train)):
            defaults = build(kind, presets.preset("tiny")).as_dict()
            typed = {
                name: (text == "True" if isinstance(defaults[name], bool) else type(defaults[name])(text))
                for name, text in given.items()
                if name in defaults
            }
            assert build(kind, presets.preset("tiny"), typed).as_dict() == config.as_dict()


def test_page_and_terminal_name_everything():
    report = document("fast_ablation")
    page = study_report.markdown(report)
    console = Console(width=200, record=True, file=io.StringIO())
    study_report.show(report, console)
    told = console.export_text()
    for row in report["variants"]:
        assert f"| {row['name']} | 3 | " in page
        assert row["name"] in told
    for heading in ("PetaFLOP", "coarse", "p (Holm)", "minus all", "verdict"):
        assert heading in page
        assert heading in told
    assert "40,000" not in page  # the stub's counts, not the recipe's
    assert "1,500 training and 500 validation images" in page


def test_stand_in_says_so():
    report = study_report.document(studies.find("normalisation"), "smoke", "shapes100", results("normalisation"), "x")
    assert "NOT CIFAR-100" in study_report.markdown(report)
