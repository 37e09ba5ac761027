"""Every file of a run is written whole, synchronized and renamed."""

from models.config import saved
from models.reporting import page
from models.runs.folder import open_locked
from models.training import evaluation, loop
from pipeline.data_config import DataConfig
from tests.durable_files import DiskRecord
from tests.models.training.linear_runs import linear


def test_every_file_of_a_run_survives_a_power_failure(tiny_data_dir, tmp_path, monkeypatch):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500)
    config = linear(epochs=2.0, on_divergence="rollback")
    record = DiskRecord(monkeypatch)
    with open_locked(tmp_path / "runs" / "mine", saved.document(data, config), {}) as run:
        loop.train(data, config, run=run, verbose=0)
        evaluation.evaluate_run(run, "validation")
        page.write(run)
    files = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    names = {
        "config.json",
        "dataset.json",
        "metrics.jsonl",
        "model.keras",
        "report.json",
        *("confusion.json", "calibration.json", "mistakes.json", "predictions.json"),
        "report.html",
        "report.md",
    }
    assert names | {"checkpoint/state.npz", "checkpoint/previous_state.npz"} == files - {".lock"}
    assert record.lost(tmp_path / "runs") == {}
