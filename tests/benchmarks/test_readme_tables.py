"""A page's tables are those of the reports beside it; the committed README's are too."""

import json

import pytest

from benchmarks import readme_tables
from pipeline import errors
from pipeline.data_config import SourceConfig
from tests.conftest import ROOT
from tests.tuning import stub_training
from tuning import studies, study_report

PAGE = "before\n<!-- study normalisation -->\nan old table\n<!-- end -->\nafter\n"


@pytest.fixture
def folder(tmp_path):
    study = studies.find("normalisation")
    cells = study.cells(study.variants, "smoke", range(2), SourceConfig(dataset="shapes100_tiny"))
    results = [
        {
            "variant": cell.variant,
            "seed": cell.train.seed,
            "status": "finished",
            "config": cell.config,
            **stub_training.outcome(cell),
        }
        for cell in cells
    ]
    report = study_report.document(study, "smoke", "shapes100_tiny", results, "python -m tuning.study --study=X")
    (tmp_path / "normalisation").mkdir()
    (tmp_path / "normalisation" / "report.json").write_text(json.dumps(report))
    return tmp_path


def test_table_is_put_in_the_place_of_the_old_one_and_nothing_else_changes(folder):
    page = readme_tables.with_tables(PAGE, folder)
    begin, *table, end, after = page.splitlines()[1:]
    assert page.startswith("before\n")
    assert (begin, end, after) == ("<!-- study normalisation -->", "<!-- end -->", "after")
    assert table[0].startswith("| variant | seeds | mean ± std |")
    assert table[2].startswith("| unit | 2 | 50.00 ± 0.00 |")
    assert "an old table" not in page
    assert "Run: `python -m tuning.study --study=X`, abc" in page
    assert "(docs/studies/normalisation/report.md)" in page
    assert readme_tables.with_tables(page, folder) == page


@pytest.mark.parametrize("content", [None, "no JSON", "{}"])
def test_table_without_its_report_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "normalisation").mkdir()
        (tmp_path / "normalisation" / "report.json").write_text(content)
    with pytest.raises(errors.FailedError, match=r"report\.json: expected a report\.json that tuning\.study wrote"):
        readme_tables.with_tables(PAGE, tmp_path)


def test_committed_readme_says_what_the_committed_reports_say():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_tables.with_tables(text, ROOT / readme_tables.STUDIES) == text
