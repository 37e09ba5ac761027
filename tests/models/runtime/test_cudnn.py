"""The version of cuDNN, of stand-ins: no machine of the tests needs a GPU."""

import importlib.metadata
import shutil
import subprocess

import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.runtime import cudnn
from models.training import step


@pytest.fixture(autouse=True)
def forget():
    cudnn.is_old.cache_clear()
    yield
    cudnn.is_old.cache_clear()


@pytest.fixture
def pretend(monkeypatch):
    """A function that has the machine have GPUs, and a cuDNN of a version or None."""

    def with_version(version: tuple[int, ...] | None, gpus: int = 1) -> None:
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] * gpus)
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"] * gpus)
        monkeypatch.setattr(cudnn, "loaded_version", lambda: version)

    return with_version


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize(("number", "version"), [(90300, (9, 3, 0)), (90501, (9, 5, 1)), (92400, (9, 24, 0))])
def test_version_of_a_library_is_what_it_says(tmp_path, number, version):
    source, library = tmp_path / "cudnn.c", tmp_path / f"libcudnn-{number}.so.9"
    source.write_text(f"#include <stddef.h>\nsize_t cudnnGetVersion(void) {{ return {number}; }}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    assert cudnn.library_version(str(library)) == version


def test_without_the_library_the_version_is_that_of_the_package(monkeypatch):
    def missing(name: str) -> tuple[int, ...]:
        raise OSError(name)

    monkeypatch.setattr(cudnn, "library_version", missing)
    monkeypatch.setattr(importlib.metadata, "version", {cudnn.PACKAGE: "9.5.1.17"}.__getitem__)
    assert cudnn.loaded_version() == (9, 5, 1)


def test_library_comes_before_the_package(monkeypatch):
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"cudnn_version": "9"})
    monkeypatch.setattr(cudnn, "library_version", {"libcudnn.so.9": (9, 3, 0)}.__getitem__)
    monkeypatch.setattr(importlib.metadata, "version", {cudnn.PACKAGE: "9.28.0.42"}.__getitem__)
    assert cudnn.loaded_version() == (9, 3, 0)


@pytest.mark.parametrize("version", [(9, 3, 0), (9, 5, 1), (9, 23, 2)])
def test_old_version_is_named_in_one_line_and_auto_compiles_nothing(pretend, capsys, version):
    pretend(version)
    cudnn.warn_if_old()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: cuDNN {'.'.join(map(str, version))}: expected 9.24 or later")
    assert "pip install 'nvidia-cudnn-cu12>=9.24,<10'" in line
    assert not step._uses_xla(TrainConfig())
    assert step._uses_xla(TrainConfig(jit_compile="on"))


@pytest.mark.parametrize(("version", "gpus"), [((9, 24, 0), 1), ((10, 0, 0), 1), (None, 1), ((9, 3, 0), 0)])
def test_nothing_is_said_of_a_recent_version_an_unknown_one_and_without_a_gpu(pretend, capsys, version, gpus):
    pretend(version, gpus)
    cudnn.warn_if_old()
    assert capsys.readouterr().err == ""
    assert step._uses_xla(TrainConfig()) == bool(gpus)
