"""Short tables of answers: each set at each length, and what a session cost and brought."""

import json
import shutil

from benchmarks.publish import answers
from tests.benchmarks.publish.test_original_study import rows_of, write_report
from tests.conftest import ROOT
from tuning.studies import catalogue


def test_sets_stand_beside_lengths_with_both_accuracies(tmp_path):
    assert answers.lengths(tmp_path) == ["`python -m tuning.study --study=augmentation_length`: not run yet."]
    study = catalogue.find("augmentation_length")
    write_report(tmp_path, study)
    path = tmp_path / study.name / "report.json"
    report = json.loads(path.read_text())
    rows = {row["name"]: row for row in report["variants"]}
    figure = rows["study-8"]["measured"]["fine_accuracy"]
    figure |= {"mean": 0.5, "std": 0.01, "comparison": {**figure["comparison"], "verdict": "lower"}}
    rows["study-8"]["training"]["fine_accuracy"] = 0.25
    path.write_text(json.dumps({**report, "variants": [row for row in rows.values() if row["name"] != "strong-24"]}))
    *table, blank, command = answers.lengths(tmp_path)
    found = rows_of(table)
    assert list(found) == ["augmentation", "---", "none", "study", "flip_shift", "strong"]
    assert found["augmentation"][1:] == ["2 epochs", "8 epochs", "24 epochs"]
    assert found["study"][2] == "50.00 ± 1.00 ▼ (25.00)"
    assert found["strong"][3:] in ([""], [])
    assert (blank, command) == ("", f"`{report['command']}`, commit {report['git_commit'][0]}")


def test_networks_stand_by_their_accuracy(tmp_path):
    assert answers.networks(tmp_path) == ["`python -m tuning.study --study=architectures`: not run yet."]
    study = catalogue.find("architectures")
    write_report(tmp_path, study)
    path = tmp_path / study.name / "report.json"
    report = json.loads(path.read_text())
    for number, row in enumerate(report["variants"]):
        row["measured"]["fine_accuracy"] |= {"mean": number / 100, "std": None}
        row |= {"epochs": number / 4, "num_parameters": 1000.0 * number}
    path.write_text(json.dumps(report))
    table = rows_of(answers.networks(tmp_path)[:-2])
    names = [variant.name for variant in study.variants]
    assert list(table) == ["network", "---", *reversed(names)]
    assert (table[names[2]][1], table[names[2]][4:6]) == ("2.00", ["0.50", "2,000"])


def test_session_tells_its_cost_and_every_difference(tmp_path):
    assert answers.session(tmp_path, "heads") == ["`python -m tuning.tune --space=heads`: not run yet."]
    shutil.copytree(ROOT / "docs" / "sessions" / "heads", tmp_path / "heads")
    path = tmp_path / "heads" / "report.json"
    report = json.loads(path.read_text())
    text = "\n".join(answers.session(tmp_path, "heads"))
    assert f"{report['spent_s'] / 60:.0f} min" in text
    assert f"fine {100 * report['best']['fine']:.2f} %" in text
    assert f"trial {report['best']['id']} minus the untuned preset" in text
    path.write_text(json.dumps({**report, "retrained": None}))
    assert "minus" not in "\n".join(answers.session(tmp_path, "heads"))
