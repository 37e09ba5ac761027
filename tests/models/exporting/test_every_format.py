"""Every format of trained networks in its own runtime, and the snippets of docs/export.md."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from models.config.presets import preset
from models.config.training import TrainConfig
from models.exporting import export, formats, isolated
from pipeline.common import config as field_config
from tests.conftest import ROOT
from tests.models.exporting.conftest import train_run

PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NETWORKS = {"quick": {}, "tiny": {}, "efficientnet_b0": {"architecture": "efficientnet_b0"}}
INSTALLED = [name for name in formats.PATHS if name != "onnx" or importlib.util.find_spec("tf2onnx")]
IN_A_PROCESS = f"""
import runpy, sys
import numpy as np
sys.meta_path.insert(0, runpy.run_path({isolated.__file__!r})["NoProject"]())
image = np.load("image.npy")
"""


def run_snippet(code: str, folder: pathlib.Path) -> str:
    """What a snippet prints in the folder of an export, in a process that cannot import this project."""
    np.save(folder / "image.npy", np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    command = [sys.executable, "-P", "-c", IN_A_PROCESS + code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    (folder / "image.npy").unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_snippets_are_of_every_runtime_and_short():
    names = ("tf.saved_model.load", "keras.saving.load_model", "Interpreter(", "InferenceSession(")
    assert len(SNIPPETS) == len(names)
    for code, name in zip(SNIPPETS, names, strict=True):
        assert name in code
        assert len(list(filter(None, code.splitlines()))) <= 6


def test_snippet_of_litert_runs_without_the_project(exported, tiny_run):
    (code,) = (code for code in SNIPPETS if "ai_edge_litert" in code)
    assert run_snippet(code, exported) in tiny_run.description().classes.fine


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_format_of_trained_networks_agrees_and_loads_by_its_snippet(name, tiny_data_dir, tmp_path):
    values = preset(name) if name in ("quick", "tiny") else NETWORKS[name]
    known = field_config.settings(TrainConfig)
    values = {key: value for key, value in values.items() if key in known}
    run = train_run(tmp_path / "run", tiny_data_dir, **{**values, "max_steps": 4 if NETWORKS[name] else 12})
    document = export.export(run, INSTALLED, tmp_path / "out", tiny_data_dir)
    assert document["failed"] == []
    for row in document["formats"]:
        if row["format"] != formats.INT8:
            assert row["agreement"] >= 0.999
            assert row["accuracy"] == pytest.approx(document["trained"]["accuracy"], abs=0.002)
    printed = {run_snippet(code, tmp_path / "out") for code in SNIPPETS if "onnx" in INSTALLED or "onnx" not in code}
    assert len(printed) == 1
    assert printed < {*run.description().classes.fine}
