"""TFDS downloads a data set when it is asked to; what fails is one line."""

import functools
import http.server
import socket
import threading

import numpy as np
import pytest
import tensorflow_datasets as tfds

from pipeline import prepare
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)


class Downloadable(tfds.core.GeneratorBasedBuilder):
    """A data set of a catalogue: its pixels come from a host, its labels are their parity."""

    VERSION = tfds.core.Version("1.0.0")
    url = ""

    def _info(self):
        label = tfds.features.ClassLabel(names=["even", "odd"])
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(8, 8, 3)), "label": label}),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(dl_manager.download(self.url))}

    def _generate_examples(self, path):
        for number, image in enumerate(np.load(path, allow_pickle=False)):
            yield number, {"image": image, "label": number % 2}


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Our --data_dir; the folder of TFDS is empty."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tensorflow_datasets"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "data"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """The requests of a host that has the pixels."""
    served = tmp_path / "served"
    served.mkdir()
    np.save(served / "pixels.npy", PIXELS)
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            super().do_GET()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=served)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(Downloadable, "url", f"http://127.0.0.1:{server.server_port}/pixels.npy")
        yield requests
        server.shutdown()
        thread.join()


def source(data_dir, name="downloadable"):
    """The configuration of a data set of TFDS."""
    return SourceConfig(dataset=f"tfds:{name}", data_dir=str(data_dir))


def test_nothing_is_downloaded_unless_asked_for(host, data_dir):
    with pytest.raises(errors.BadArgumentError, match=r"^dataset=tfds:downloadable: not found .*--download"):
        prepare.prepare(source(data_dir))
    assert not host


def test_a_download_is_prepared_once(host, data_dir):
    for _ in range(2):
        assert prepare.prepare(source(data_dir), may_download=True) == "tfds:downloadable"
    assert host == ["/pixels.npy"]
    described = prepared.description(data_dir, source(data_dir).prepared_name)
    assert described.classes.fine == ("even", "odd")
    assert sum(described.num_examples.values()) == len(PIXELS)


def test_a_dead_host_is_one_line(data_dir, monkeypatch):
    monkeypatch.setattr("tensorflow_datasets.core.download.downloader.MAX_RETRIES", 1)  # 10 take 204 s
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(Downloadable, "url", f"http://127.0.0.1:{unused.getsockname()[1]}/pixels.npy")
    with pytest.raises(errors.FailedError, match=r"^dataset=tfds:downloadable: TFDS could not .*refused") as caught:
        prepare.prepare(source(data_dir), may_download=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "expected"), [("no_such_set", "TFDS cannot build it"), ("cifar10", "=cifar10$")])
def test_a_name_that_tfds_does_not_download_is_one_line(data_dir, name, expected):
    with pytest.raises(errors.BadArgumentError, match=f"^dataset=tfds:{name}: .*{expected}") as caught:
        prepare.prepare(source(data_dir, name), may_download=True)
    assert "\n" not in str(caught.value)
