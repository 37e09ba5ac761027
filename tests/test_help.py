"""What `--help` prints, however a binary is started."""

import importlib.metadata
import subprocess
import sys

import pytest

from tests.binaries import call, command
from tests.conftest import ROOT


def test_help_of_a_binary_without_flags_is_its_own_words():
    done = call("benchmarks.bench", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("List the benchmarks")
    assert "Flags:" not in done.stdout


@pytest.mark.parametrize("flag", ["--helpshort", "-h", "--helpfull"])
def test_every_help_begins_with_what_the_binary_does(flag):
    done = call("models.train", flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Train an image classifier")
    assert "--[no]freeze_trunk" in done.stdout
    assert ("--verbosity" in done.stdout.partition("Flags:")[0]) == (flag == "--helpfull")


def test_version_is_that_of_the_distribution_without_a_wait_for_tensorflow():
    code = "import sys, models.train as binary; sys.argv[1:] = ['--version']\ntry: binary.run()\n"
    code += "finally: sys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"streaming-cifar100 {importlib.metadata.version('streaming-cifar100')}\n"


@pytest.mark.parametrize("arguments", [("models.train", "--help"), ("benchmarks.show",)])
def test_reader_that_has_seen_enough_gets_no_traceback(arguments):
    with subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        _, stderr = process.communicate()
    assert (process.returncode, stderr) == (1, b"")


@pytest.mark.parametrize(
    "binary",
    [
        *("pipeline.prepare", "pipeline.gallery", "pipeline.explore", "pipeline.data_service"),
        *("models.train", "models.evaluate"),
        *("models.predict", "models.export", "models.serve", "tuning.tune", "tuning.study"),
    ],
)
def test_help_is_the_same_as_module_and_as_console_script(binary):
    as_module = call(binary, "--help")
    module = binary if (ROOT / f"{binary.replace('.', '/')}.py").exists() else f"{binary}.__main__"
    code = f"import sys; sys.argv = ['script', '--help']; import {module} as binary; binary.run()"
    as_script = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert as_module.returncode == as_script.returncode == 0
    assert as_module.stdout == as_script.stdout
    assert f"python -m {binary}" in as_module.stdout
    assert "  --" in as_module.stdout
