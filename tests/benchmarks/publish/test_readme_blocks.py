"""A page's tables are those of the reports beside it; the committed README's are too."""

import json

import pytest

from benchmarks.publish import readme_blocks
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from tests.conftest import ROOT
from tests.tuning import stub_training
from tuning.studies import catalogue
from tuning.studies import report as study_report

PAGE = "before\n<!-- study normalisation -->\nan old table\n<!-- end -->\nafter\n"


@pytest.fixture
def folder(tmp_path):
    study = catalogue.find("normalisation")
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
    folder = tmp_path / readme_blocks.STUDIES / "normalisation"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report))
    return tmp_path


def test_table_is_put_in_the_place_of_the_old_one_and_nothing_else_changes(folder):
    page = readme_blocks.with_tables(PAGE, folder)
    begin, *table, end, after = page.splitlines()[1:]
    assert page.startswith("before\n")
    assert (begin, end, after) == ("<!-- study normalisation -->", "<!-- end -->", "after")
    assert table[0].startswith("| variant | seeds | mean ± std |")
    assert table[2].startswith("| unit | 2 | 50.00 ± 0.00 |")
    assert "--max_steps=6 --run_dir=runs/normalisation-unit` |" in table[2]  # what trains the variant alone
    assert "an old table" not in page
    assert "Run: `python -m tuning.study --study=normalisation --budget=smoke --repeats=2" in page
    assert "(docs/studies/normalisation/report.md)" in page
    assert readme_blocks.with_tables(page, folder) == page


def test_session_says_what_its_best_trial_brought(tmp_path):
    trial = {"id": "01", "status": "COMPLETED", "precision": "float32"}
    retrained = {
        "trial": "01", "untuned": {"0": 0.7}, "tuned": {"0": 0.72}, "test": {"fine": 0.66, "coarse": 0.78},
    }  # fmt: skip
    report = {
        **{"space": "heads", "tuner": "hyperband", "objective": "both", "fine_weight": 0.5, "dataset": "cifar100"},
        **{"trials": [trial], "retrained": retrained, "spent_s": 1200.0, "command": "a command", "git_commit": "abc"},
    }
    folder = tmp_path / readme_blocks.SESSIONS / "heads"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report))
    page = readme_blocks.with_tables("<!-- session heads -->\nold\n<!-- end -->\n", tmp_path)
    assert "old" not in page
    assert "1 of 1 trials completed, in 20 min" in page
    assert "- the difference, seed by seed: +2.00 points" in page
    assert "Run: `a command`, abc. [All of it](docs/sessions/heads/report.md)" in page
    (folder / "report.json").write_text(json.dumps({**report, "retrained": None}))
    with pytest.raises(errors.FailedError, match=r"expected a report\.json that tuning\.tune --retrain_best wrote"):
        readme_blocks.with_tables("<!-- session heads -->\n<!-- end -->\n", tmp_path)


def test_training_steps_are_a_row_a_recipe(tmp_path):
    def row(name, median, **more):
        return {"name": name, "unit": "images/s", "median": median, **more}

    def of(recipe):
        half = f"{recipe}/mixed_bfloat16"
        return [
            row(f"ours/{recipe}/float32", 750.2),
            row(f"ours/{half}", 101.26, ratio=1.5),
            row(f"ours/{half}/bare", 110.0, ceiling_share=0.614),
            row(f"ours/{half}/waits_for_data", 0.24),
            row(f"peer/keras_batch_normalization/{half}", 90.0, ratio=1.125),
            row(f"peer/pytorch/{recipe}/float32", 700.0, ratio=1.07),
            row(f"peer/pytorch/{half}", 95.0, ratio=0.98),
        ]

    results = tmp_path / readme_blocks.RESULTS
    results.mkdir(parents=True)
    (results / "train_step.json").write_text(json.dumps({"rows": [*of("tiny"), *of("resnet18")]}))
    page = readme_blocks.with_tables("<!-- training steps -->\nold\n<!-- end -->\n", tmp_path)
    lines = page.splitlines()
    assert lines[3] == "| `tiny` | 750 | 101.3 (1.50x) | 1.07x | 0.98x | 61% | 1.12x | 0.2 % |"
    assert lines[4].startswith("| ResNet-18 | ")
    assert "old" not in page


def page_of(tmp_path, mark, name, rows) -> list[str]:
    results = tmp_path / readme_blocks.RESULTS
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.json").write_text(json.dumps({"rows": rows}))
    page = readme_blocks.with_tables(f"<!-- {mark} -->\nan old table\n<!-- end -->\n", tmp_path)
    assert "an old table" not in page
    return page.splitlines()[1:-1]


def test_feeds_stand_ours_first_and_say_how_far_ahead_ours_is(tmp_path):
    def row(name, median, **more):
        spread = {"median": median, "min": 0.9 * median, "max": 1.1 * median}
        return {"name": name, "unit": "images/s", **spread, "cpu_s_per_million": 1.234, "ceiling_share": 0.25, **more}

    lines = page_of(
        *(tmp_path, "feeds", "input"),
        [
            row("ours/ceiling/copy", 8_000_000.0),
            row("peer/grain/map_dataset", 40_000.0, ratio=50.04),
            row("ours/train/none/512", 65_000.0),
            row("ours/train/memory/512", 2_000_000.0),
            row("ours/train/memory/512/threads_1", 1.0),
            row("ours/resident/none", 700.0),
        ],
    )
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| ours, examples cached in memory (`--cache=memory`), batches of 512",
        "| ours, read and decoded every time (`--cache=none`), batches of 512",
        "| Google's Grain",
        "| ceiling: a plain copy of such batches",
    ]
    assert lines[2].endswith("| 2,000,000 | 1,800,000 to 2,200,000 | 1.2 | 25.0% |  |")
    assert lines[4].endswith("| 25.0% | 50.0x |")


def test_memory_says_what_did_not_fit_and_who_died(tmp_path):
    def row(name, median, **more):
        return {"name": name, "median": median, "min": median, "max": median, "repeats": 1, **more}

    lines = page_of(
        *(tmp_path, "memory", "memory"),
        [
            row("ours/peak/40000", 1100.4, repeats=3) | {"max": 1120.0},
            row("ours/peak/60000000", 1101.0),
            row("peer/study/peak/40000", 2000.0, predicted=False),
            row("peer/study/peak/60000000", 703125.0, predicted=True),
            row("ours/limit_2GiB/60000000", 15_360),
            row("peer/study/limit_2GiB/40000", 40_000),
            row("peer/study/limit_2GiB/400000", 0),
            row("ours/limit_1GiB/60000000", 0),
            row("ours/leak", 8.04, epochs=100, views=4000, median_mib=1234.5) | {"min": -1.0, "max": 20.0},
        ],
    )
    assert lines[2] == "| 40,000 | 1,100 (1,100 to 1,120) | 2,000 |"
    assert lines[3] == "| 60,000,000 | 1,101 | 703,125, computed: it does not fit here |"
    assert lines[5] == (
        "- Under 2 GiB of data ours trains on 15,360 of 60,000,000; the study's array holds 40,000 and dies on the way "
        "to 400,000."
    )
    assert lines[6] == "- Under 1 GiB of data ours dies with 60,000,000."
    assert lines[7].startswith("- Over 100 epochs of 4,000 views, memory grows by 8.0 KiB an epoch (-1.0 to 20.0 over")


@pytest.mark.parametrize("mark", ["feeds", "memory", "training steps"])
def test_table_of_a_benchmark_without_its_result_is_refused(tmp_path, mark):
    with pytest.raises(errors.FailedError, match=r"\.json: expected what benchmarks\.\w+ wrote with --out"):
        readme_blocks.with_tables(f"<!-- {mark} -->\n<!-- end -->\n", tmp_path)


@pytest.mark.parametrize("content", [None, "no JSON", "{}"])
def test_table_without_its_report_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / readme_blocks.STUDIES / "normalisation").mkdir(parents=True)
        (tmp_path / readme_blocks.STUDIES / "normalisation" / "report.json").write_text(content)
    with pytest.raises(errors.FailedError, match=r"report\.json: expected a report\.json that tuning\.study wrote"):
        readme_blocks.with_tables(PAGE, tmp_path)


def test_committed_readme_says_what_the_committed_reports_say():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_blocks.with_tables(text, ROOT) == text
    assert "<!-- rows of the study -->" in text
    marks = [line for line in text.splitlines() if "<!--" in line]
    assert all(line.startswith("<!-- ") and line.endswith(" -->") for line in marks)  # else a block is passed over
    assert marks[1::2] == ["<!-- end -->"] * (len(marks) // 2)
    for report in (ROOT / readme_blocks.SESSIONS).glob("*/report.json"):
        assert f"<!-- session {report.parent.name} -->" in marks


def test_every_row_of_the_study_is_there_and_says_whether_it_has_been_run(folder):
    results = folder / readme_blocks.RESULTS
    results.mkdir(parents=True)
    runs = [{"report": {"split": "test", "fine_accuracy": accuracy}} for accuracy in (0.61, 0.63)]
    (results / "study_fine-cifar100.json").write_text(json.dumps({"runs": runs}))
    evaluations = {split: {"coarse_accuracy": accuracy} for split, accuracy in (("test", 0.71), ("validation", 0.72))}
    report = {"split": "test", "coarse_accuracy": 0.71, "evaluations": evaluations}
    (results / "study_coarse-cifar100.json").write_text(json.dumps({"report": report}))
    page = readme_blocks.with_tables("<!-- rows of the study -->\n<!-- end -->\n", folder)
    rows = [line.split(" | ") for line in page.splitlines()[3:-1]]
    names = [row[0].removeprefix("| ") for row in rows]
    assert len(set(names)) == len(names)
    for figure in ("29.65 ± 1.54", "33.97 ± 1.06", "32.52 ± 1.01", "32.52 ± 1.09", "32.19 ± 0.48", "41.80 ± 0.87"):
        assert figure in page
    for figure in ("55.63 ± 0.88", "60.75 ± 1.39", "11.39", "54.76", "61.88", "70.6", "72.49", "39.73"):
        assert figure in page
    by_name = dict(zip(names, rows, strict=True))
    assert by_name["final model, fine"][3] == "test 62.00, mean of 2 seeds"
    assert by_name["final model, fine"][1] == (
        "`python -m models.train --preset=study_fine --seed=S --run_dir=runs/study_fine-S`, "
        "then `python -m models.evaluate --run_dir=runs/study_fine-S --split=test`"
    )
    assert by_name["final model, coarse"][3] == "validation 72.00, test 71.00"
    assert by_name["final model, coarse"][1] == (
        "`python -m models.train --preset=study_coarse`, "
        "then `python -m models.evaluate --run_dir=runs/study_coarse-cifar100 --split=test`"
    )
    assert by_name["Model 1, fine"][1] == "`python -m models.train --preset=study_model_1`"
    assert by_name["Model 1, fine"][3] == "not run yet"
    assert by_name["activation relu"][2].startswith("adam 36.99, sgd 29.10, rmsprop 38.12")
    assert by_name["pooling: max 4 blocks"][2:4] == ["-", "not run yet"]  # what the mixed one is compared with
    assert "pooling: average 4 blocks" not in names
    claim = by_name["dividing by 255 is enough"]
    assert claim[1].startswith("`python -m tuning.study --study=normalisation --budget=smoke --repeats=2")
    assert claim[3].startswith("unit 50.00 ± 0.00 (reference); standardise 50.00")


def test_models_that_answer_together_stand_beside_the_one_that_answers_alone_with_their_cost(tmp_path):
    def measured(mean, difference=None):
        against = {"against": "joint", "difference": difference, "verdict": "lower"}
        return {"values": {"0": mean}, "mean": mean, "std": 0.01, "comparison": against if difference else None}

    def row(name, fine, coarse, petaflop, differences=(None, None)):
        figures = map(measured, (fine, coarse), differences)
        measures = dict(zip(("fine_accuracy", "own_coarse_accuracy"), figures, strict=True))
        return {"name": name, "measured": measures, "train_petaflop": petaflop}

    variants = [row("joint", 0.64, 0.77, 0.0303), row("two_models", 0.63, 0.73, 0.0605, (-0.01, -0.04))]
    folder = tmp_path / readme_blocks.STUDIES / "single_vs_joint"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"command": "a command", "variants": variants}))
    page = readme_blocks.with_tables("<!-- rows of the study -->\n<!-- end -->\n", tmp_path)
    (claim,) = (line for line in page.splitlines() if line.startswith("| a model for each kind of label |"))
    assert claim.split(" | ")[3] == (
        "fine: joint 64.00 ± 1.00 (reference), two models 63.00 ± 1.00 (-1.00, lower); "
        "coarse: joint 77.00 ± 1.00 (reference), two models 73.00 ± 1.00 (-4.00, lower); "
        "PetaFLOP: joint 0.0303, two models 0.0605"
    )
