"""The benchmark of shapes100, on its tiny form."""

import pytest

from benchmarks.shapes100 import bounds
from pipeline.common import errors


def test_preset_is_trained_and_evaluated_on_test(tiny_data_dir):
    small = {"dataset": "shapes100_tiny", "num_validation": 500, "max_steps": 2}
    report = bounds.tested("linear", tiny_data_dir, **small)
    assert (report["preset"], report["split"], report["examples_evaluated"]) == ("linear", "test", 500)


@pytest.mark.parametrize(
    ("linear", "quick", "row"), [(0.3, 0.9, ""), (0.5, 0.9, "ours/linear/fine_accuracy"), (0.3, 0.5, "ours/quick")]
)
def test_figure_out_of_bounds_fails(monkeypatch, linear, quick, row):
    accuracies = {"linear": linear, "quick": quick}
    monkeypatch.setattr(
        bounds,
        "tested",
        lambda preset, folder: {
            "fine_accuracy": accuracies[preset],
            "coarse_accuracy": 0.6,
            "train_seconds": 1.0,
        },
    )
    monkeypatch.setattr(bounds, "_prepare_s", lambda folder: 1.0)
    rows = bounds.measure()
    if not row:
        bounds.judge(rows)
        return
    with pytest.raises(errors.FailedError, match=f"out of bounds: {row}"):
        bounds.judge(rows)
