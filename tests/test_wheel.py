"""The wheel in an environment of its own, outside of the checkout."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow
TOP_LEVEL = ("pipeline", "models", "tuning", "benchmarks", "setup.py", "pyproject.toml", "README.md", "LICENSE")


class Installed:
    """An environment with the wheel; its dependencies are those of the tests' environment."""

    def __init__(self, folder: pathlib.Path) -> None:
        source, self.folder = folder / "source", folder / "elsewhere"
        self.folder.mkdir()
        source.mkdir()
        for name in TOP_LEVEL:  # setuptools would leave its folders in the checkout
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
        pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
        offline = ("--no-deps", "--no-index")
        build = ("wheel", "--no-build-isolation", *offline, f"--wheel-dir={folder}", source)
        subprocess.run([*pip, *build], check=True)
        (self.wheel,) = folder.glob("*.whl")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
        self.bin = folder / "env" / "bin"
        subprocess.run([*pip, f"--python={self.bin / 'python'}", "install", *offline, self.wheel], check=True)
        site = next((folder / "env").glob("lib/python*/site-packages"))
        # Files *.pth in a folder that a file *.pth names are not read: the editable install there is out of reach.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def call(self, script: str, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [self.bin / script, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("wheel"))


def test_modules_are_the_wheels(installed):
    names = "pipeline, models, tuning, benchmarks"
    paths = installed.call("python", "-c", f"import {names}; print(*[m.__file__ for m in ({names})], sep='\\n')")
    assert all(path.startswith(str(installed.bin.parent)) for path in paths.split())


def test_every_file_but_modules_is_in_the_wheel(installed):
    """Templates, style sheets and type markers; results of benchmarks are the checkout's."""
    expected = {
        str(path.relative_to(ROOT))
        for layer in ("pipeline", "models", "tuning", "benchmarks")
        for path in (ROOT / layer).rglob("*.*")
        if path.suffix != ".pyc" and "results" not in path.parts
    }
    assert expected <= set(zipfile.ZipFile(installed.wheel).namelist())


def test_run_is_trained_and_evaluated_outside_the_checkout(installed):
    data = ("--dataset=shapes100_tiny", "--data_dir=data")
    installed.call("cifar-prepare", *data)
    installed.call("cifar-train", "--preset=linear", *data, "--max_steps=3", "--num_validation=100", "--run_dir=run")
    installed.call("cifar-evaluate", "--run_dir=run", "--data_dir=data", "--split=test")
    assert (installed.folder / "run" / "report.html").exists()


def test_every_console_script_tells_its_flags_and_version(installed):
    scripts = [path.name for path in installed.bin.glob("cifar-*")]
    assert "cifar-train" in scripts
    for script in scripts:
        assert installed.call(script, "--help")
        assert re.fullmatch(r"streaming-cifar100 \d+\.\d+\.\d+\n", installed.call(script, "--version"))
