"""The profiler's trace: of the steps meant, also of a training that is too short."""

import pytest

from models.config.training import TrainConfig
from models.training import callbacks, loop
from pipeline.data_config import DataConfig


@pytest.mark.parametrize("max_steps", [12, 17])
def test_trace_is_written(tiny_data_dir, tmp_path, max_steps):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=50)
    config = TrainConfig(architecture="linear", precision="float32", max_steps=max_steps)
    profiler = callbacks.Profiler(str(tmp_path / "trace"))
    loop.train(data, config, callbacks=[profiler], verbose=0)
    (trace,) = (tmp_path / "trace").rglob("*.xplane.pb")
    assert b"all_steps" in trace.read_bytes()


def test_training_shorter_than_the_first_step_leaves_no_trace(tiny_data_dir, tmp_path):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=50)
    config = TrainConfig(architecture="linear", precision="float32", max_steps=3)
    loop.train(data, config, callbacks=[callbacks.Profiler(str(tmp_path / "trace"))], verbose=0)
    assert not (tmp_path / "trace").exists()
