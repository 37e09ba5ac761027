"""Several binaries, and one several times, in one process: a notebook, a test, a generator of documentation."""

import concurrent.futures
import io
import json
import subprocess
import sys
import threading

import keras
import pytest

from models import evaluate, train
from models.reporting import page
from models.runs.folder import RunFolder, open_locked
from models.training import evaluation, loop
from pipeline.common import errors, locked_folder
from pipeline.data_config import DataConfig
from tests.conftest import ROOT
from tests.models.training.linear_runs import assert_same, linear, weights

BINARIES = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for folder in ("pipeline", "models", "tuning", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "app.run(main" in path.read_text(encoding="utf-8")
)
# Imports all binaries, and runs one twice, with other arguments, and another one.
IMPORT_ALL = f"""
import contextlib, importlib, sys
from absl import flags
modules = [importlib.import_module(name) for name in {BINARIES}]
from pipeline.common import app
def call(name, *arguments):
    sys.argv = [name, *arguments]
    module = sys.modules[name]
    try:
        app.run(module.main, module.flags)
    except SystemExit as end:
        print(end.code, file=sys.stderr)
call("models.train", "--epochs=-1", "--seed=3")
call("models.train", "--dataset=imagenet")
call("models.evaluate", "--split=none")
call("models.evaluate", "--epochs=1")
call("pipeline.prepare", "--help")
assert not set(flags.FLAGS) & set("run_dir archive split".split())
"""


class Output(io.StringIO):
    """What stands for stdout in a notebook: no terminal, no file descriptor."""

    isatty = property()
    fileno = property()


def test_all_binaries_are_imported_and_run_again_in_one_process():
    """abseil/abseil-py#36, abseil/abseil-py#130: DuplicateFlagError in a notebook; flags keep their last values."""
    assert {"models.train", "tuning.tune", "benchmarks.input.__main__"} < set(BINARIES)
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 9, done.stderr
    assert lines[1::2] == ["2"] * 4
    parts = ("epochs=-1.0", "dataset='imagenet'", "split=none", "'epochs'")
    for line, part in zip(lines[:8:2], parts, strict=True):
        assert part in line
    assert lines[-1] == "0"
    assert "--archive=" in done.stdout
    assert "--epochs=" not in done.stdout


def call(monkeypatch, binary, *arguments) -> object:
    """The exit code of a binary, run in another thread than the main one, its output not a file."""
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", *arguments])
    monkeypatch.setattr(sys, "stdout", Output())
    codes: list[object] = []

    def run() -> None:
        with pytest.raises(SystemExit) as ended:
            binary.run()
        codes.append(ended.value.code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (code,) = codes
    return code


def check_locked(run: RunFolder) -> None:
    """A page that is drawn after the folder is free may show another evaluation than the report holds."""
    with pytest.raises(errors.BusyError), locked_folder.locked(run.path):
        pass


def test_run_is_started_twice_in_a_thread_without_a_terminal(tiny_data_dir, tmp_path, monkeypatch):
    """wandb/wandb#834 (signals in a thread), open-mmlab/mmengine#931 and ipython/ipykernel#91 (no fileno)."""
    data = ("--preset=linear", "--dataset=shapes100_tiny", "--num_validation=500", f"--data_dir={tiny_data_dir}")
    assert not call(monkeypatch, train, *data, "--max_steps=2", "--seed=3", f"--run_dir={tmp_path / 'first'}")
    assert not call(monkeypatch, train, *data, "--max_steps=1", f"--run_dir={tmp_path / 'second'}")
    with monkeypatch.context() as watched:
        watched.setattr(page, "write", check_locked)
        assert not call(monkeypatch, evaluate, f"--run_dir={tmp_path / 'second'}", "--split=test")
    first, second = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("first", "second"))
    assert (first["steps"], first["seed"], first["split"]) == (2, 3, "validation")
    assert (second["steps"], second["seed"], second["split"]) == (1, 0, "test")


def test_run_is_evaluated_where_it_is_open_and_nowhere_else(tiny_data_dir, tmp_path):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500)
    config = linear(max_steps=1)
    saved = {**data.as_dict(), **config.as_dict()}
    with open_locked(str(tmp_path / "run"), saved, {}) as run:
        loop.train(data, config, run=run, verbose=0)
        evaluation.evaluate_run(run, "test")
        assert run.report()["split"] == "test"
        with pytest.raises(errors.BusyError, match="another run in this process"):
            evaluation.evaluate_run(RunFolder(tmp_path / "run"), "validation")
    evaluation.evaluate_run(RunFolder(tmp_path / "run"), "validation")


def test_runs_in_threads_at_once_train_as_each_alone(tiny_data_dir):
    """tensorflow/tensorflow#33986, tensorflow/tensorflow#35813: models that several threads build at once.

    Python's generator, from which initial weights follow, is of the whole process.
    """
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=0)
    configs = [
        linear(max_steps=1),
        linear(max_steps=1, precision="mixed_bfloat16", seed=1),
        linear(max_steps=1, seed=2),
    ]
    alone = [weights(loop.train(data, config, verbose=0)) for config in configs]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(lambda config: weights(loop.train(data, config, verbose=0)), configs))
    for first, second in zip(alone, at_once, strict=True):
        assert_same(first, second)
    assert keras.config.dtype_policy().name == "float32"
