"""Preparing from the network: a download, a dead host, and the generated data set in its place."""

import dataclasses
import hashlib
import http.server
import socket
import threading

import pytest

from pipeline import prepare
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from tests.pipeline.datasets import archives
from tests.pipeline.datasets.archives import SMALL


@pytest.fixture(autouse=True)
def keras_home(tmp_path_factory, monkeypatch):
    """Keras's folder, without a copy."""
    folder = tmp_path_factory.mktemp("keras")
    monkeypatch.setenv("KERAS_HOME", str(folder))
    return folder


@pytest.fixture
def dead_url():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/cifar-100-binary.tar.gz"


def test_a_dead_host_fails_with_a_remedy_and_leaves_nothing(dead_url, tmp_path, no_tensorflow):
    for data_dir in (tmp_path, tmp_path / "new" / "data"):
        with pytest.raises(errors.FailedError, match=r"cannot be downloaded: 127.0.0.1: .*refused.*--archive=FILE"):
            prepare.prepare(SourceConfig(data_dir=str(data_dir)), spec=dataclasses.replace(SMALL, url=dead_url))
        assert not list(tmp_path.iterdir())


def test_auto_falls_back_loudly(dead_url, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prepare, "FALLBACK", "shapes100_tiny")
    source = SourceConfig(dataset="auto", data_dir=str(tmp_path))
    assert prepare.prepare(source, spec=dataclasses.replace(SMALL, url=dead_url)) == "shapes100_tiny"
    output = capsys.readouterr()
    assert output.out == ""
    assert "CIFAR-100 IS NOT AVAILABLE: 127.0.0.1: " in output.err
    assert "--archive=FILE" in output.err
    assert output.err.splitlines()[-1].endswith("the data set is shapes100_tiny, NOT cifar100")
    assert prepared.is_prepared(tmp_path, "shapes100_tiny")
    assert not (tmp_path / "cifar100").exists()


@pytest.fixture
def host(archive, monkeypatch):
    """The specification of an archive that can be downloaded."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Host(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(archive.parent))

        def log_message(self, *_arguments):
            pass

    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{archive.name}"
        yield dataclasses.replace(SMALL, url=url, sha256={"cifar-100-binary.tar.gz": checksum})
        server.shutdown()


def test_a_download_is_checked_prepared_and_recorded(host, tmp_path):
    assert prepare.prepare(SourceConfig(dataset="auto", data_dir=str(tmp_path)), spec=host) == "cifar100"
    archives.check_prepared(tmp_path)
    provenance = prepared.provenance(tmp_path, "cifar100")
    assert (provenance["how"], provenance["url"]) == ("download", host.url)
    assert provenance["official"] == "cifar-100-binary.tar.gz"
    assert not prepared.download_folder(tmp_path).exists()


def test_the_copy_of_keras_is_used_instead_of_a_download(keras_home, dead_url, tmp_path, capsys):
    copy = archives.write_folder(keras_home / "datasets" / "cifar-100-python", archives.python_files())
    spec = dataclasses.replace(SMALL, url=dead_url)
    assert prepare.prepare(SourceConfig(dataset="auto", data_dir=str(tmp_path)), spec=spec) == "cifar100"
    assert f"prepare: checking {copy}, which is in the cache of Keras" in capsys.readouterr().err.splitlines()
    archives.check_prepared(tmp_path)
    provenance = prepared.provenance(tmp_path, "cifar100")
    assert (provenance["how"], provenance["path"]) == ("cache", str(copy))


def test_a_damaged_copy_of_keras_is_no_obstacle(keras_home, host, tmp_path, capsys):
    (keras_home / "datasets").mkdir()
    (keras_home / "datasets" / "cifar-100-python.tar.gz").write_bytes(b"")
    prepare.prepare(SourceConfig(data_dir=str(tmp_path)), spec=host)
    assert "cifar-100-python.tar.gz is not used: is an empty file" in capsys.readouterr().err
    assert prepared.provenance(tmp_path, "cifar100")["how"] == "download"


def test_a_download_whose_preparation_is_interrupted_is_named_and_used(host, tmp_path, monkeypatch, no_tensorflow):
    source = SourceConfig(data_dir=str(tmp_path))

    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "_write", interrupt)
    with pytest.raises(errors.InterruptedRunError, match=str(prepared.download_folder(tmp_path))):
        prepare.prepare(source, spec=host)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".download", ".prepare.lock"]
    written = []
    monkeypatch.setattr(prepare, "_write", lambda *arguments: written.append(arguments))
    monkeypatch.setattr("requests.get", None)
    prepare.prepare(source, spec=host)
    assert len(written) == 1
    assert not list(tmp_path.iterdir())
