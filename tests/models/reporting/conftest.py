"""A finished run's folder, made of what `run_files` holds."""

import json

import pytest

from models.runs.folder import RunFolder
from tests.models.reporting.run_files import CONFIG, REPORT, make_rows


@pytest.fixture
def make_run(tmp_path):
    """Writes a run's folder with other configuration, report and rows than the usual."""

    def make(config=(), report=(), rows=None):
        path = tmp_path / "quick"
        path.mkdir()
        lines = (json.dumps(row) + "\n" for row in (make_rows() if rows is None else rows))
        (path / "config.json").write_text(json.dumps({**CONFIG, **dict(config)}), encoding="utf-8")
        (path / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
        (path / "report.json").write_text(json.dumps({**REPORT, **dict(report)}), encoding="utf-8")
        (path / "report.html").touch()
        return RunFolder(path)

    return make
