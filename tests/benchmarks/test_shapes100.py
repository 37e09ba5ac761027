"""The benchmark of shapes100, on its tiny form."""

import json

import pytest

from benchmarks import shapes100
from pipeline import errors


def test_preset_is_trained_and_evaluated_on_test(tiny_data_dir):
    small = {"dataset": "shapes100_tiny", "num_validation": 500, "max_steps": 2}
    report = shapes100.tested("linear", tiny_data_dir, **small)
    assert (report["preset"], report["split"], report["examples_evaluated"]) == ("linear", "test", 500)


def test_figure_out_of_bounds_fails_after_it_is_published(tmp_path, monkeypatch):
    report = {"fine_accuracy": 0.5, "coarse_accuracy": 0.6, "train_seconds": 1.0}
    monkeypatch.setattr(shapes100, "tested", lambda preset, folder: report)
    monkeypatch.setattr(shapes100, "_prepare_s", lambda folder: 1.0)
    out = tmp_path / "result.json"
    with pytest.raises(errors.FailedError, match="out of its bounds"):
        shapes100.measure(str(out))
    assert json.loads(out.read_text())["rows"][0]["median"] == 1.0
