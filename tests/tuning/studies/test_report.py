"""The document of a study, and what is drawn from it alone."""

import dataclasses
import io
import json
import shlex

import pytest
from rich.console import Console

from models.config import TrainConfig, from_preset
from pipeline.common import errors
from pipeline.common.config import settings
from pipeline.data_config import DataConfig, SourceConfig
from tests.tuning.stub_training import outcome
from tuning import statistics
from tuning.studies import catalogue
from tuning.studies import page as study_page
from tuning.studies import report as study_report

SEEDS = range(3)


def results(name, accuracy=lambda place, seed: 0.5 + 0.012 * place + 0.01 * seed + 0.001 * place * seed, **changes):
    """Finished jobs of every variant of a study with three seeds; the place of a variant decides its accuracy."""
    study = catalogue.find(name)
    found = []
    for job in study.jobs(study.variants, "short", SEEDS, SourceConfig()):
        place = [variant.name for variant in study.variants].index(job.label)
        report = outcome(job, accuracy(place, job.train.seed), **changes)
        if job.train.heads == "coarse":
            report["report"] |= {"fine_accuracy": None, "coarse_from_fine_accuracy": None, "coarse_source": "head"}
        found.append(
            {"variant": job.label, "seed": job.train.seed, "status": "finished", "config": job.config, **report}
        )
    return found


def document(name, found=None):
    found = results(name) if found is None else found
    return study_report.document(catalogue.find(name), "short", SourceConfig(), found)


@pytest.mark.parametrize("name", catalogue.STUDIES)
def test_document_of_every_study_is_json_and_reads_back_to_the_same_page(name):
    report = document(name)
    again = json.loads(json.dumps(report, allow_nan=False))
    assert study_page.page(again) == study_page.page(report)
    for result in (found := results(name)):
        del result["config"]["steps_per_call"]  # of a version before there was this field
    assert document(name, found) == report
    assert [row["name"] for row in report["variants"]][: len(catalogue.find(name).variants)] == [
        variant.name for variant in catalogue.find(name).variants
    ]


def test_document_holds_values_statistics_costs_and_the_studys_figure():
    report = document("augmented_images")
    row = next(row for row in report["variants"] if row["name"] == "600000")
    measured = row["measured"]["fine_accuracy"]
    assert measured["values"] == {"0": pytest.approx(0.524), "1": pytest.approx(0.536), "2": pytest.approx(0.548)}
    assert measured["mean"] == pytest.approx(0.536)
    assert measured["comparison"]["against"] == "40000"
    assert measured["comparison"]["difference"] == pytest.approx(0.026)
    assert measured["comparison"]["verdict"] == statistics.HIGHER
    assert measured["comparison"]["p_corrected"] > measured["comparison"]["p_value"]
    assert (row["train_petaflop"], row["train_seconds"]) == (0.25, 100.0)
    assert report["correction"] == "Holm, over 4 comparisons"
    assert [epoch["fine_accuracy"] for epoch in row["curve"]] == pytest.approx([0.536 / 3, 0.536 * 2 / 3, 0.536])
    assert row["curve"][-1]["images"] == 18 * 64
    reference = report["variants"][0]["measured"]["fine_accuracy"]
    assert reference["comparison"] is None


def test_row_has_the_training_accuracy_of_its_last_epoch_and_an_earlier_report_no_column_of_it():
    report = document("single_vs_joint")
    for name in report["metrics"]:
        row = report["variants"][0]
        assert row["training"][name] == pytest.approx(0.75 * row["measured"][name]["mean"])
        assert "training" in [column.heading for column in study_page.columns(report, name)]
    assert study_page.TRAINING_LEGEND in study_page.page(report)
    for row in report["variants"]:
        row.pop("training", None)
    assert "training" not in [column.heading for column in study_page.columns(report, "fine_accuracy")]
    assert study_page.TRAINING_LEGEND not in study_page.page(report)


@pytest.mark.parametrize(
    ("name", "line"), [("padding", study_page.LENGTH_LEGEND), ("architectures", study_page.COST_LEGEND)]
)
def test_page_says_what_the_variants_have_in_common(name, line):
    page = study_page.page(document(name))
    assert [one for one in (study_page.LENGTH_LEGEND, study_page.COST_LEGEND) if one in page] == [line]


def test_report_of_no_finished_job_has_no_table_and_no_number_of_images():
    report = document("padding", [])
    console = Console(file=io.StringIO(), width=160)
    study_page.show(report, console)
    for text in (study_page.page(report), console.file.getvalue()):
        assert report["question"] in text
        for absent in ("p (Holm)", "accuracy (%)", "validation images", "file order"):
            assert absent not in text


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
    assert report["correction"] == (
        "Holm, over 3 comparisons, those of 2 accuracies together, a row of several models counted with the model that "
        "answers"
    )


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
    assert report["correction"] == (  # the pair's two fine seeds are a test of their own, its coarse ones are not
        "Holm, over 4 comparisons, those of 2 accuracies together, a row of several models counted with the model that "
        "answers"
    )


def test_measured_on_test_is_refused():
    with pytest.raises(errors.FailedError, match="split=test"):
        document("normalisation", results("normalisation", split="test"))


def test_failed_and_missing_jobs_leave_the_rest_standing():
    found = results("normalisation")
    found[0] = {"variant": "unit", "seed": 0, "status": "failed", "reason": "fine_loss is nan", "config": {}}
    report = document("normalisation", found)
    rows = {row["name"]: row for row in report["variants"]}
    assert rows["unit"]["seeds"] == [1, 2]
    assert rows["standardise"]["measured"]["fine_accuracy"]["comparison"]["num_pairs"] == 2
    assert "- unit, seed 0: fine_loss is nan" in study_page.page(report)
    nothing = document("single_vs_joint", [])
    assert nothing["variants"] == []
    assert nothing["correction"] == "Holm, over 0 comparisons, those of 2 accuracies together"
    assert "All variants share preset='tiny'. " in study_page.page(nothing)


def test_without_the_reference_nothing_is_compared():
    report = document("normalisation", [one for one in results("normalisation") if one["variant"] != "unit"])
    assert report["variants"][0]["measured"]["fine_accuracy"]["comparison"] is None
    assert report["correction"] == "Holm, over 0 comparisons"
    page = study_page.page(report)
    assert "| standardise | 3 | 52.30 ± 1.10 | 49.57 to 55.03 | - | - | - |" in page
    assert "| reference |" not in page
    assert "| unit | 3 | 51.00 ± 1.00 | 48.52 to 53.48 | reference |  |  |" in study_page.page(
        document("normalisation")
    )


def test_one_seed_needs_a_second():
    report = document("normalisation", results("normalisation")[:2])
    assert report["variants"][1]["measured"]["fine_accuracy"]["comparison"]["verdict"] == statistics.TOO_FEW
    assert "| standardise | 1 | 51.20 | - | +1.20 | - | needs 2 shared seeds |" in study_page.page(report)


@pytest.mark.parametrize("name", catalogue.STUDIES)
def test_each_rows_command_trains_its_very_configuration(name):
    """... but for fields that its network does not read, which models.train would refuse."""
    report, study = document(name), catalogue.find(name)
    rows = [row for row in report["variants"] if row["command"]]
    assert [row["name"] for row in rows] == [variant.name for variant in study.variants]
    for row in rows:
        given = dict(word.removeprefix("--").split("=", 1) for word in shlex.split(row["command"])[3:])
        assert given.pop("run_dir") == f"runs/{name}-{row['name']}"
        job = study.job(study.variant(row["name"]), "short", 0, SourceConfig())
        kinds = {name: one.kind for name, one in settings(DataConfig, TrainConfig).items()}
        typed = {
            field: text == "True"
            if kinds[field] is bool
            else (kinds[field] if kinds[field] in (int, float) else str)(text)
            for field, text in given.items()
        }
        data, train = from_preset(typed.pop("preset"), **typed)
        assert (data.replace(data_dir=job.data.data_dir), train) == (job.data, job.train)


def test_documents_command_is_what_leads_to_it_on_any_machine():
    assert document("normalisation")["command"] == (
        "python -m tuning.study --study=normalisation --budget=short --repeats=3"
    )
    later = [one for one in results("normalisation") if one["seed"] and one["variant"] == "unit"]
    report = study_report.document(catalogue.find("normalisation"), "full", SourceConfig(dataset="shapes100"), later)
    assert report["command"] == (
        "python -m tuning.study --study=normalisation --budget=full --repeats=2 --seed=1 --variants=unit "
        "--dataset=shapes100"
    )


def test_documents_command_names_the_data_set_so_that_it_is_found_again():
    source = SourceConfig(dataset="tfds:pets", fine_key="breed", coarse_key="species", image_size=48, data_dir="here")
    report = study_report.document(catalogue.find("padding"), "short", source, results("padding"))
    assert report["dataset"] == "tfds:pets"
    given = dict(word.removeprefix("--").split("=", 1) for word in shlex.split(report["command"])[3:])
    assert {name: given[name] for name in ("dataset", "fine_key", "coarse_key", "image_size")} == {
        "dataset": "tfds:pets",
        "fine_key": "breed",
        "coarse_key": "species",
        "image_size": "48",
    }
    assert "data_dir" not in given
    folder = SourceConfig(dataset="folder:/images/my pets")
    report = study_report.document(catalogue.find("padding"), "short", folder, results("padding"))
    assert "--dataset=folder:/images/my pets" in shlex.split(report["command"])


def test_documents_command_is_a_command_for_each_row_of_seeds_without_a_gap():
    found = [{**one, "seed": 10 * one["seed"] + of} for one in results("normalisation") for of in (0, 1)]
    begin = "python -m tuning.study --study=normalisation --budget=short --repeats=2"
    assert document("normalisation", found)["command"] == f"{begin} && {begin} --seed=10 && {begin} --seed=20"


def test_recipe_is_without_what_no_row_reads():
    study = catalogue.find("padding")
    base = {**study.base, **study.budgets["short"]}
    assert document("padding")["recipe"] == base
    wider = dataclasses.replace(study, base={**study.base, "widths": (1, 2, 3)})
    assert study_report.document(wider, "short", SourceConfig(), results("padding"))["recipe"] == base


def test_recipe_is_without_what_was_fitted_to_the_data_set():
    found = results("padding")
    for result in found:
        result["config"] |= {"batch_size": 29, "num_validation": 59}
    recipe = {**catalogue.find("padding").base, **catalogue.find("padding").budgets["short"]}
    assert "batch_size" in recipe
    fitted = {name: value for name, value in recipe.items() if name not in ("batch_size", "num_validation")}
    assert document("padding", found)["recipe"] == fitted


def test_rows_are_compared_with_what_they_name_and_the_page_says_so():
    report = document("pooling")
    comparisons = {row["name"]: row["measured"]["fine_accuracy"]["comparison"] for row in report["variants"]}
    assert comparisons.pop("max") is None
    assert {name: comparison["against"] for name, comparison in comparisons.items()} == {
        "average": "max",
        "max_4_blocks": "max",
        "average_4_blocks": "max_4_blocks",
        "mixed_4_blocks": "max_4_blocks",
    }
    assert comparisons["mixed_4_blocks"]["difference"] == pytest.approx(0.026)  # two places on
    page = study_page.page(report, ["bars_fine_accuracy.png"])
    assert " from max_4_blocks | " in page
    assert study_page.answer(report, "fine_accuracy") == (
        "Higher than max: average (+1.30), max_4_blocks (+2.60). "
        "Higher than max_4_blocks: average_4_blocks (+1.30), mixed_4_blocks (+2.60)."
    )
    assert "![bars_fine_accuracy.png](bars_fine_accuracy.png)" in page
    assert "All variants share preset='original_cnn', epochs=1.5, batch_size=64" in page


def test_answer_names_each_row_once_under_its_verdict():
    told = study_page.answer(document("padding"), "fine_accuracy")
    assert told == "Higher than same: valid (+1.30)."
    same = study_page.answer(
        document("padding", results("padding", lambda place, seed: 0.5 + 0.01 * seed)), "fine_accuracy"
    )
    assert same == "No difference shown from same: valid (+0.00)."


def test_few_seeds_borrow_the_spread_of_all_rows_and_the_page_says_so():
    two = [one for one in results("activation_optimizer") if one["seed"] < 2]
    report = document("activation_optimizer", two)
    comparisons = [row["measured"]["fine_accuracy"]["comparison"] for row in report["variants"][1:]]
    assert all(comparison["is_pooled"] for comparison in comparisons)
    assert comparisons[-1]["verdict"] == statistics.HIGHER  # with its own two differences: 34 comparisons, p 0.02 each
    residual = report["residuals"]["fine_accuracy"]
    assert residual["degrees"] == 34
    page = study_page.page(report)
    assert f"pooled over all variants; that of a single value is {100 * residual['std']:.2f} with 34" in page
    many = [{**one, "seed": seed} for seed in range(5) for one in results("padding") if one["seed"] == 0]
    assert "pooled" not in study_page.page(document("padding", many))


def test_page_and_terminal_name_everything():
    report = document("fast_ablation")
    page = study_page.page(report)
    console = Console(width=200, record=True, file=io.StringIO())
    study_page.show(report, console)
    told = console.export_text()
    for row in report["variants"]:
        assert f"| {row['name']} | 3 | " in page
        assert row["name"] in told
    for heading in ("PetaFLOP", "coarse", "p (Holm)", "minus all", "verdict"):
        assert heading in page
        assert heading in told
    assert "40,000" not in page  # the stub's counts, not the recipe's
    assert "1,500 training and 500 validation images" in page


def headings(report):
    return [column.heading for column in study_page.columns(report, "fine_accuracy")]


def test_costs_stand_in_a_column_where_rows_differ_in_them():
    found = results("normalisation")
    assert {"epochs", "parameters"}.isdisjoint(headings(document("normalisation", found)))
    for one in found:
        place = ("unit", "standardise").index(one["variant"])
        one["report"] |= {"epochs": 0.75 + place, "num_parameters": 1234 + place}
    page = study_page.page(document("normalisation", found))
    assert "| epochs | parameters | PetaFLOP | seconds |\n" in page
    assert "| 0.75 | 1,234 | 0.25 | 100 |\n" in page


def test_memory_is_shown_where_each_run_had_a_process_of_its_own():
    found = results("architectures")
    for one in found:
        one["report"]["peak_rss_mib"] = 1000.0 + one["seed"]
    page = study_page.page(document("architectures", found))
    assert "| 0.25 | 100 | 1,001 |\n" in page
    assert "*MiB*" in page
    assert "MiB" not in study_page.page(document("normalisation"))


def test_report_of_a_version_that_recorded_fewer_costs_has_no_column_of_them():
    report = document("normalisation")
    del report["is_equal_cost"]
    for row in report["variants"]:
        for key in ("epochs", "num_parameters", "peak_rss_mib"):
            del row[key]
    assert headings(report)[-2:] == ["PetaFLOP", "seconds"]
    assert "MiB" not in study_page.page(report)


def test_parameters_of_several_models_are_added_and_their_memory_is_not_known():
    rows = {row["name"]: row for row in document("single_vs_joint")["variants"]}
    pair = rows["two_models"]
    assert pair["num_parameters"] == 2 * rows["joint"]["num_parameters"]
    assert (pair["epochs"], pair["peak_rss_mib"]) == (None, None)


def test_title_names_the_budget_that_is_not_the_usual_one():
    study, found = catalogue.find("normalisation"), results("normalisation")
    titles = [
        study_page.page(study_report.document(study, budget, SourceConfig(), found)).partition(":")[0]
        for budget in ("short", "full")
    ]
    assert titles == ["# normalisation", "# normalisation, budget full"]


def test_images_of_ones_own_are_compared_with_no_figure_of_cifar100():
    one_level = dict.fromkeys(("coarse_accuracy", "coarse_from_fine_accuracy", "coarse_source"))
    found = results("padding", **one_level)
    report = study_report.document(
        catalogue.find("padding"), "short", SourceConfig(dataset="folder:/images/pets"), found
    )
    page = study_page.page(report)
    assert "coarse" not in page.partition("## How to read")[0]
    assert "*original study*" not in page
    assert "| original study" not in page
    cifar100 = study_page.page(document("padding", found))
    assert "*original study*" in cifar100
    assert "| original study" in cifar100


def test_stand_in_says_so():
    report = study_report.document(
        catalogue.find("normalisation"), "smoke", SourceConfig(dataset="shapes100"), results("normalisation")
    )
    assert "NOT CIFAR-100" in study_page.page(report)
