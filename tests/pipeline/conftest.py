"""A small CIFAR-100 as an archive and as a prepared data folder, for the tests of this folder."""

import pytest

from pipeline import prepare
from pipeline.data_config import SourceConfig
from tests.pipeline.datasets import archives


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return archives.write_tar(tmp_path_factory.mktemp("archive") / "small.tar.gz", archives.binary_files())


@pytest.fixture(scope="module")
def small_data_dir(archive, tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    source = SourceConfig(data_dir=str(data_dir), archive=str(archive))
    assert prepare.prepare(source, spec=archives.SMALL) == "cifar100"
    return data_dir


@pytest.fixture
def no_tensorflow(monkeypatch):
    """Fail where TFDS would write."""
    monkeypatch.setattr(prepare, "_write", lambda *_arguments: pytest.fail("wrote a data set"))
