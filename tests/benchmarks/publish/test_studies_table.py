"""The table of the reports of studies."""

import json

from benchmarks.publish import studies_table


def test_reports_of_two_budgets_stand_side_by_side(tmp_path):
    for folder, budget, seeds in (("a_study", "short", ([0, 1], [0])), ("a_study_full", "full", ([0], [0]))):
        (tmp_path / folder).mkdir()
        rows = [{"seeds": one} for one in seeds]
        report = {"study": "a_study", "question": "Why?", "budget": budget, "variants": rows}
        (tmp_path / folder / "report.json").write_text(json.dumps(report))
    assert studies_table.table(tmp_path)[2:] == [
        "| [a_study](studies/a_study/report.md) | Why? | 2 | 1 to 2 |",
        "| [a_study, budget full](studies/a_study_full/report.md) | Why? | 2 | 1 |",
    ]
