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


@pytest.mark.parametrize(("variables", "preset"), [((), "tiny"), (("PRESET=",), "tiny"), (("PRESET=nano",), "nano")])
def test_preset_is_trained_on_what_can_be_prepared(variables, preset):
    shell = make("train", *variables, "RUN_DIR=it's one").stdout
    shown = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(f"-m models.train --preset={preset} --dataset=auto --data_dir=data --archive= ")
    assert shown.endswith("--run_dir=it's one --evaluate_test\n")


@pytest.mark.parametrize("variable", ["PRESET=quik", "RUN_DIR=gs://bucket/run", "DATA_DIR=setup.py", "ARCHIVE=s3://a"])
def test_wrong_value_is_refused_before_data_are_prepared(variable):
    shell = make("train", variable, f"PYTHON={sys.executable}").stdout
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    name, _, value = variable.partition("=")
    (line,) = done.stderr.splitlines()
    assert name.lower() in line
    assert value in line
