"""Every format of trained networks in its own runtime, and the snippets of docs/export.md."""

import importlib.metadata
import importlib.util
import pathlib
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.harness import subprocess_call
from models.config.presets import preset
from models.config.training import TrainConfig
from models.exporting import export, formats, isolated
from models.runs.folder import RunFolder
from pipeline.common import config as field_config
from tests.conftest import ROOT
from tests.models.exporting.conftest import NETWORK, train_run

PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NETWORKS = {
    **{"quick": {}, "tiny": {}, "efficientnet_b0": {"architecture": "efficientnet_b0"}},
    "bfloat16": {**NETWORK, "precision": "mixed_bfloat16"},  # slow but possible on every processor
}
# By format: what its snippet in docs/export.md calls, and the packages that it needs.
RUNTIMES = {
    "saved_model": ("tf.saved_model.load", ("tensorflow",)),
    "keras": ("keras.saving.load_model", ("keras", "tensorflow")),
    "litert": ("Interpreter(", ("ai-edge-litert", "numpy")),
    "litert_int8": ("Interpreter(", ("ai-edge-litert", "numpy")),
    "onnx": ("InferenceSession(", ("onnxruntime", "numpy")),
}
UNREACHABLE = re.compile("NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|Max retries|name resolution")
INSTALLED = [name for name in formats.PATHS if name != "onnx" or importlib.util.find_spec("tf2onnx")]
IN_A_PROCESS = f"""
import runpy, sys
import numpy as np
sys.meta_path.insert(0, runpy.run_path({isolated.__file__!r})["NoProject"]())
image = np.load("image.npy")
"""


def snippet(format_name: str) -> str:
    """The snippet that loads a format."""
    (code,) = (code for code in SNIPPETS if RUNTIMES[format_name][0] in code)
    return code.replace(formats.PATHS["litert"], formats.PATHS[format_name])


def run_snippet(code: str, folder: pathlib.Path, python: pathlib.Path | str = sys.executable) -> str:
    """What a snippet prints in the folder of an export, in a process that cannot import this project."""
    np.save(folder / "image.npy", np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    command = [python, "-P", "-c", IN_A_PROCESS + code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    (folder / "image.npy").unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Callable[[tuple[str, ...]], pathlib.Path]:
    """The interpreter of an environment that has these packages and what they need, in the versions of this one."""
    made: dict[tuple[str, ...], pathlib.Path] = {}

    def interpreter(packages: tuple[str, ...]) -> pathlib.Path:
        if packages not in made:
            folder = tmp_path_factory.mktemp("environment")
            venv.create(folder)
            pinned = [f"{name}=={importlib.metadata.version(name)}" for name in packages]
            pip = [sys.executable, "-m", "pip", f"--python={folder / 'bin' / 'python'}", "install", "--quiet", *pinned]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if UNREACHABLE.search(done.stderr):
                pytest.skip(f"the package index, which has {', '.join(pinned)}, cannot be reached")
            assert done.returncode == 0, done.stderr
            made[packages] = folder / "bin" / "python"
        return made[packages]

    return interpreter


@pytest.fixture(scope="module")
def in_every_format(tiny_run, tiny_data_dir, tmp_path_factory) -> pathlib.Path:
    """The folder of an export in all formats."""
    folder = tmp_path_factory.mktemp("exported") / "out"
    assert export.export(tiny_run, INSTALLED, folder, tiny_data_dir)["failed"] == []
    return folder


def test_snippets_are_of_every_runtime_and_short():
    assert {snippet(name).count(RUNTIMES[name][0]) for name in formats.PATHS} == {1}
    assert len(SNIPPETS) == len({call for call, _ in RUNTIMES.values()})
    for code in SNIPPETS:
        assert len(list(filter(None, code.splitlines()))) <= 6


def test_snippet_of_litert_runs_without_the_project(exported, tiny_run):
    assert run_snippet(snippet("litert"), exported) in tiny_run.description().classes.fine


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTALLED)
def test_every_format_loads_where_its_runtime_alone_is_installed(name, environment, in_every_format, tiny_run):
    call = run_snippet(snippet(name), in_every_format, environment(RUNTIMES[name][1]))
    assert call == run_snippet(snippet(name), in_every_format)
    assert call in tiny_run.description().classes.fine


def trained_and_exported(name: str, data_dir: str, folder: pathlib.Path, format_names: Sequence[str]) -> dict[str, Any]:
    """The content of `export.json` of a network that was trained for a few steps, in `folder`."""
    values = preset(name) if name in ("quick", "tiny") else NETWORKS[name]
    known = field_config.settings(TrainConfig)
    values = {key: value for key, value in values.items() if key in known}
    steps = {"quick": 12, "tiny": 12, "efficientnet_b0": 4, "bfloat16": 20}[name]
    run = train_run(folder / "run", data_dir, **{**values, "max_steps": steps})
    return export.export(run, format_names, folder / "out", data_dir)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_format_of_trained_networks_agrees_and_loads_by_its_snippet(name, tiny_data_dir, tmp_path):
    # In a process of its own: networks of full size leave gigabytes behind.
    document = subprocess_call.call(
        trained_and_exported, name=name, data_dir=tiny_data_dir, folder=tmp_path, format_names=INSTALLED
    )
    assert document["failed"] == []
    precision = NETWORKS[name].get("precision", "float32")
    assert document["trained"]["precision"] == precision
    for row in document["formats"]:
        if row["format"] != formats.INT8:
            assert row["agreement"] >= 0.999
            assert row["accuracy"] == pytest.approx(document["float32"]["accuracy"], abs=0.002)
    # After few steps, many images are between two classes, and bfloat16 decides some of them otherwise.
    nearness = 0.002 if precision == "float32" else 0.02
    assert document["float32"]["accuracy"] == pytest.approx(document["trained"]["accuracy"], abs=nearness)
    printed = {run_snippet(snippet(name), tmp_path / "out") for name in INSTALLED if name != formats.INT8}
    assert len(printed) == 1
    assert printed < {*RunFolder(tmp_path / "run").description().classes.fine}
