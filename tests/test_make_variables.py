"""Variables of make: those that are known have their effect, and any other is refused."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def environment() -> dict[str, str]:
    """The environment without what the make that runs these tests, and its caller, may have set."""
    ours = ("ARCHIVE", "DATA_DIR", "MFLAGS", "PRESET", "RUN_DIR")
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in ours}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`make` with these arguments, which prints its commands instead of running them."""
    command = ["make", "--dry-run", "--old-file=.venv/.installed", "PYTHON=echo", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("variable", ["PRSET=tiny", "preset=tiny", "EPOCHS:=1", "INSTALLED=x", "PYTEST+=-x"])
@pytest.mark.parametrize("target", ["train", "help"])
def test_unknown_variable_is_refused_in_one_line(variable, target):
    done = make(target, variable)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"{variable.split('=')[0].strip(':+')}=" in line
    assert "expected one of ARCHIVE" in line


@pytest.mark.parametrize(
    "variable",
    [
        *("ARCHIVE=a b=c", "CIFAR100_ARCHIVE=a", "DATA_DIR=a", "RUN_DIR=a", "PYTHON_FOR_VENV=python3", "VENV=.venv"),
        *("PRESET=", "TEST_PROCESSES=1", "MAKEFLAGS=s", "MAKE=gmake", "SHELL=/bin/bash"),
    ],
)
def test_known_variable_and_those_of_make_pass(variable):
    assert make("train", variable).returncode == 0


@pytest.mark.parametrize("venv", ["my venv", "gs://bucket/venv", "o'neil"])
def test_folder_of_packages_that_make_cannot_name_is_refused(venv):
    """`make clean` would remove `my` and `venv`."""
    done = make("clean", f"VENV={venv}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"VENV={venv}: expected a path" in done.stderr


@pytest.mark.parametrize(("venv", "folder"), [("", ".venv"), ("~/v", f"{os.environ.get('HOME', '')}/v"), ("v", "v")])
def test_folder_of_packages_is_a_path_like_others(venv, folder):
    done = make("clean", f"VENV={venv}")
    assert done.stdout.startswith(f"rm -rf {folder} build")


@pytest.mark.parametrize(("variables", "preset"), [((), "quick"), (("PRESET=",), "quick"), (("PRESET=tiny",), "tiny")])
def test_preset_is_trained_in_a_folder_of_its_name(variables, preset):
    shell = make("train", *variables).stdout.replace("$(echo -m pipeline.prepare", "$(printf shapes100")
    shown = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout
    check, training, evaluation = shown.splitlines()  # the check refuses a preset before minutes of preparation
    assert check.endswith(f" {preset}")
    assert f"models.train --preset={preset} --dataset=shapes100" in training
    assert f"--run_dir=runs/{preset}-shapes100" in training
    assert f"--run_dir=runs/{preset}-shapes100" in evaluation


def test_wrong_preset_is_refused_before_data_are_prepared():
    shell = make("train", "PRESET=quik", f"PYTHON={sys.executable}").stdout
    shell = shell.replace("-m pipeline.prepare", "-c 'raise SystemExit(5)'")
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: preset=quik: expected one of quick, ")
