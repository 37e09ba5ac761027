"""Commands that train, and installations for GPUs, look after the version of cuDNN."""

import pathlib
import re

import pytest

from benchmarks.augment import __main__ as augment
from benchmarks.train_step import __main__ as train_step
from models import train
from models.runtime import cudnn
from pipeline.common import errors
from tests.binaries import call_here
from tests.conftest import ROOT
from tuning import tune


@pytest.mark.parametrize(
    ("binary", "flags"),
    [
        (train, ("--run_dir={}/run",)),
        (tune, ("--session_dir={}/session", "--precision=float32")),
        (train_step, ("--precisions=float32",)),
        (augment, ()),
    ],
)
def test_command_looks_at_the_version_before_it_works(monkeypatch, capsys, tmp_path, tiny_data_dir, binary, flags):
    def stop() -> None:
        raise errors.FailedError("looked at cuDNN")

    monkeypatch.setattr(cudnn, "warn_if_old", stop)
    flags = (*(flag.format(tmp_path) for flag in flags), "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 1
    assert "looked at cuDNN" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["setup.py", "deploy/Dockerfile"])
def test_installations_for_gpus_require_the_oldest_version_that_works(file):
    (version,) = re.findall(rf"{cudnn.PACKAGE}>=([\d.]+),<10['\"]", pathlib.Path(ROOT, file).read_text())
    assert tuple(map(int, version.split("."))) == cudnn.OLDEST
