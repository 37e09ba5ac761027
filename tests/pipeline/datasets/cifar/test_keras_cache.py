"""Copies in Keras's cache are found, announced and checked."""

import numpy as np
import pytest

from pipeline.datasets.cifar import keras_cache
from tests.pipeline.datasets import archives
from tests.pipeline.datasets.archives import SMALL


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keras's cache folder, empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    return tmp_path / "keras" / "datasets"


# What keras.utils.get_file leaves: the extracted folder and the archive.
LAYOUTS = {
    "Keras 3.15": ("{0}-target/{0}", "{0}-target_archive"),
    "Keras 3": ("{0}/{0}", "{0}_archive"),
    "Keras 2": ("{0}", "{0}.tar.gz"),
}


@pytest.mark.parametrize("spec", archives.SMALL_SPECS.values(), ids=archives.SMALL_SPECS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_copy_is_found_and_announced(spec, layout, is_packed, cache):
    name, files, log = spec.forms[1].name, archives.python_files(spec), []
    folder, packed = (cache / part.format(name) for part in LAYOUTS[layout])
    if is_packed:
        archives.write_tar(packed, files, name)
    else:
        archives.write_folder(folder, files)
    result = keras_cache.find(spec, log.append)
    np.testing.assert_array_equal(result.train.rows, archives.rows("train", spec))
    assert str(result.path) in log[0]
    assert result.path.parent == cache


def test_nothing_is_found_where_keras_has_no_folder(tmp_path, monkeypatch):
    for home in ("/dev/null", str(tmp_path)):
        monkeypatch.setenv("KERAS_HOME", home)
        assert keras_cache.find(SMALL, print) is None


def test_the_cache_is_in_the_home_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = archives.write_folder(tmp_path / ".keras" / "datasets" / "cifar-100-python", archives.python_files())
    assert keras_cache.paths(SMALL) == [folder]
    assert keras_cache.paths(archives.SMALL_CIFAR10) == []


def test_a_damaged_copy_is_passed_over(cache):
    files, log = archives.python_files(), []
    archives.write_folder(cache / "cifar-100-python", {**files, "train": files["train"][:-9]})
    assert keras_cache.find(SMALL, log.append) is None
    assert f"{cache}/cifar-100-python is not used: train: the pickle is truncated" in log[-1]
    archives.write_tar(cache / "cifar-100-python.tar.gz", files, "cifar-100-python")
    assert keras_cache.find(SMALL, log.append).path == cache / "cifar-100-python.tar.gz"
    assert not [line for line in log if "\n" in line]
