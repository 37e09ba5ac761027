"""The table of calibration has a line for each answer of the recipes with a temperature."""

import json

from benchmarks.publish import calibration_table
from tests.benchmarks.publish.reports import report


def calibration(ece: float) -> dict:
    before = {"ece": 0.2, "nll": 1.5, "brier": 0.5}
    fine = {"temperature": 0.5 + ece, "before": before, "after": {**before, "ece": ece}}
    return {"test": {"fine": fine, "coarse": {**fine, "temperature": None, "after": None}}}


def test_seeds_are_averaged_and_what_has_no_temperature_is_left_out(tmp_path):
    runs = [report(seed=n, calibration=calibration(ece), git_commit="0123456789") for n, ece in enumerate((0.01, 0.03))]
    runs += [report(preset="old"), report(preset="older", calibration=None)]
    (tmp_path / "tiny-cifar100.json").write_text(json.dumps(runs))
    _, _, row = calibration_table.table(tmp_path)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:5] == ["`python -m models.train --preset=tiny`", "40,000", "2", "`fine`", "0.520"]
    assert cells[5:] == ["0.2000", "0.0200", "0.0300", "1.500", "1.500", "0.500", "0.500", "0123456"]
