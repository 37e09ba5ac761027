"""Every known setting outside of the project, each with a harmful value: the same weights, or one line and exit code 2.

The list is that of docs/settings.md. Five steps of `quick` in a process of its own take ten seconds, so that the table
of one process for each setting is slow; `make test` sets all settings of one kind at once.
"""

import io
import json
import os
import pathlib
import subprocess
import zipfile

import h5py
import numpy as np
import pytest

from benchmarks.publish import setting_names
from pipeline.common.process import environment
from tests.binaries import command
from tests.conftest import ROOT, shared_folder

FLAGS = (
    *("--preset=quick", "--schedule=constant", "--learning_rate=0.0005", "--precision=float32", "--max_steps=5"),
    *("--dataset=shapes100_tiny", "--num_validation=100", "--batch_size=64"),
)
# Values other than "1", which counts, names and paths cannot all be.
HARMFUL = {
    "COLUMNS": "0",
    "CUDA_VISIBLE_DEVICES": "99",
    "DNNL_DEFAULT_FPMATH_MODE": "BF16",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "ENABLE_RUNTIME_UPTIME_TELEMETRY": "x",
    "HOME": "/dev/null/none",
    "KERASTUNER_ORACLE_IP": "192.0.2.1",
    "KERASTUNER_TUNER_ID": "chief",
    "KERAS_BACKEND": "jax",
    "KERAS_HOME": "/dev/null",
    "KERAS_MAX_EPOCHS": "x",
    "KERAS_MAX_STEPS_PER_EPOCH": "x",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "POSIX",
    "MATPLOTLIBRC": "/dev/null/none",
    "MPLBACKEND": "none",
    "MPLCONFIGDIR": "/dev/null",
    "NVIDIA_TF32_OVERRIDE": "0",
    "ONEDNN_DEFAULT_FPMATH_MODE": "ANY",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "PYTHONIOENCODING": "ascii",
    "PYTHONOPTIMIZE": "2",
    "PYTHONUTF8": "0",
    "PYTHONWARNINGS": "error",
    "TERM": "dumb",
    "TFDS_CACHE_DIR": "/dev/null",
    "TFDS_DATA_DIR": "/dev/null/none",
    "TFDS_RETRY_DELAY_MULTIPLIER": "x",
    "TFDS_RETRY_INITIAL_DELAY": "x",
    "TFDS_RETRY_NOISE": "x",
    "TFDS_RETRY_TRIES": "x",
    "TF2_BEHAVIOR": "0",
    "TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}',
    "TF_DATA_EXPERIMENT_OPT_IN": "all",
    "TF_ENABLE_COND_V2": "0",
    "TF_ENABLE_CONTROL_FLOW_V2": "0",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_ENABLE_TENSOR_ARRAY_V2": "0",
    "TF_ENABLE_WHILE_V2": "0",
    "TF_FORWARD_COMPATIBILITY_DELTA_DAYS": "x",
    "TF_GRAPH_CACHING": "0",
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": str(ROOT / "docs"),  # of which none is a library
    "TF_SET_ONEDNN_FPMATH_MODE": "BF16",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "TMPDIR": "/dev/null/none",
    "TPU_CONFIG": "{}",
    "TZ": "nowhere",
    "XDG_CACHE_HOME": "/dev/null",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    "http_proxy": "http://127.0.0.1:9",
}
KERAS_JSON = {
    "backend": "torch",
    "epsilon": 0.5,
    "floatx": "float16",
    "image_data_format": "channels_first",
    "nnx_enabled": False,
}
SLOW_TOGETHER = ("PYTHONDEVMODE", "TF_CPP_MAX_VLOG_LEVEL")
UNCHANGED, ROUNDED, REFUSED = "no effect", "followed", "refused"


def harmful(kind: str) -> dict[str, str]:
    """The variables of one kind, each with its harmful value."""
    names = [name for name, effect in setting_names.effects().items() if effect.startswith(kind) and "json" not in name]
    return {name: HARMFUL.get(name, "1") for name in names}


def weights(run_dir: pathlib.Path) -> dict[str, np.ndarray]:
    """The weights of a run's model by their place in it."""
    found = {}

    def add(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item)

    with zipfile.ZipFile(run_dir / "model.keras") as archive:
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))).visititems(add)
    return found


class Runs:
    """Trains in processes that differ by their environment, and compares with the run of an unchanged one."""

    def __init__(self, folder: pathlib.Path, data_dir: str) -> None:
        self.plain, self.folder, self.data_dir = folder / "plain", folder, data_dir

    def train(
        self, run_dir: pathlib.Path, prefix: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess:
        known = {name for name in setting_names.effects() if name in os.environ} - {"HOME", "LANG", "TERM"}
        inherited = {name: value for name, value in os.environ.items() if name not in known}
        arguments = [*prefix, *command("models.train", *FLAGS, f"--data_dir={self.data_dir}", f"--run_dir={run_dir}")]
        return subprocess.run(
            arguments,
            cwd=ROOT,
            env=inherited | variables,
            capture_output=True,
            text=True,
            errors="replace",
        )

    def check_equal(self, run_dir: pathlib.Path) -> None:
        expected, found = weights(self.plain), weights(run_dir)
        assert found.keys() == expected.keys()
        assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)

    def check_near(self, run_dir: pathlib.Path) -> None:
        def losses(path: pathlib.Path) -> list[float]:
            row = json.loads((path / "metrics.jsonl").read_text(encoding="utf-8"))
            return [value for name, value in row.items() if name.endswith("loss")]

        def vector(path: pathlib.Path) -> np.ndarray:
            return np.concatenate([value.ravel().astype(np.float64) for _, value in sorted(weights(path).items())])

        assert losses(run_dir) == pytest.approx(losses(self.plain), rel=1e-5)
        expected = vector(self.plain)
        assert np.linalg.norm(vector(run_dir) - expected) <= 1e-4 * np.linalg.norm(expected)


@pytest.fixture(scope="module")
def runs(tiny_data_dir, tmp_path_factory) -> Runs:
    with shared_folder(tmp_path_factory, "settings") as folder:
        runs = Runs(folder, tiny_data_dir)
        if not (runs.plain / "report.json").exists():
            done = runs.train(runs.plain)
            assert done.returncode == 0, done.stderr
    return runs


@pytest.fixture
def keras_home(tmp_path) -> str:
    (tmp_path / "keras.json").write_text(json.dumps(KERAS_JSON))
    return str(tmp_path)


def test_settings_of_no_effect_together_and_empty_ones_leave_the_weights_equal(runs, tmp_path, keras_home):
    empty = dict.fromkeys([*environment.FOLLOWED, *environment.REFUSED], "")
    variables = {name: value for name, value in harmful(UNCHANGED).items() if name not in SLOW_TOGETHER}
    done = runs.train(tmp_path / "run", **empty | variables | {"KERAS_HOME": keras_home})
    assert done.returncode == 0, done.stderr
    runs.check_equal(tmp_path / "run")


def test_settings_of_instructions_and_threads_together_change_by_rounding_and_are_reported(runs, tmp_path):
    variables = harmful(ROUNDED)
    done = runs.train(tmp_path / "run", **variables)
    assert done.returncode == 0, done.stderr
    runs.check_near(tmp_path / "run")
    reported = json.loads((tmp_path / "run" / "report.json").read_text())["settings"]
    assert reported == variables | {"TF_XLA_FLAGS": reported["TF_XLA_FLAGS"]}
    assert reported["TF_XLA_FLAGS"].startswith(variables["TF_XLA_FLAGS"])


@pytest.mark.parametrize("name", harmful(REFUSED))
def test_setting_that_would_change_results_is_refused(runs, tmp_path, name):
    """tensorflow/tensorflow#59305: float32 is multiplied as bfloat16 where TF_SET_ONEDNN_FPMATH_MODE says so."""
    done = runs.train(tmp_path / "run", **{name: harmful(REFUSED)[name]})
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {name}={harmful(REFUSED)[name]}: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", harmful(UNCHANGED))
def test_setting_of_no_effect_leaves_the_weights_equal(runs, tmp_path, name):
    done = runs.train(tmp_path / "run", **{name: harmful(UNCHANGED)[name]})
    assert done.returncode == 0, done.stderr
    runs.check_equal(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS_JSON)
def test_key_of_keras_json_leaves_the_weights_equal(runs, tmp_path, name):
    (tmp_path / "keras.json").write_text(json.dumps({name: KERAS_JSON[name]}))
    done = runs.train(tmp_path / "run", KERAS_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    runs.check_equal(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("name", harmful(ROUNDED))
def test_setting_of_instructions_or_threads_changes_by_rounding_alone(runs, tmp_path, name):
    done = runs.train(tmp_path / "run", **{name: harmful(ROUNDED)[name]})
    assert done.returncode == 0, done.stderr
    runs.check_near(tmp_path / "run")


@pytest.mark.slow
def test_one_processor_changes_by_rounding_alone(runs, tmp_path):
    processor = min(os.sched_getaffinity(0))
    done = runs.train(tmp_path / "run", ("taskset", "--cpu-list", str(processor)))
    assert done.returncode == 0, done.stderr
    runs.check_near(tmp_path / "run")


def test_keras_json_has_a_value_for_each_key():
    assert set(KERAS_JSON) == set(setting_names.KERAS_JSON_KEYS)


def test_page_names_every_setting_that_the_packages_read():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    missing = [name for name in setting_names.settings_read() if f"| `{name}` |" not in page]
    assert missing == [], "python -m benchmarks.publish.settings"
