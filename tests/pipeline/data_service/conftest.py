"""Servers of a data service as processes, and the data that they serve."""

import contextlib
import subprocess
import sys

import pytest

from pipeline.data_config import DataConfig
from tests.conftest import ROOT


class Server:
    """A process of `pipeline.data_service`."""

    def __init__(self, *flags: str) -> None:
        command = [sys.executable, "-m", "pipeline.data_service", *flags]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.first_line = next((line for line in self.process.stdout if "Ctrl-C" in line), "")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start():
    """Starts servers, which have started when this returns."""
    with contextlib.ExitStack() as stack:

        def started(*flags: str) -> Server:
            server = Server(*flags)
            stack.callback(server.kill)
            assert server.process.poll() is None, server.first_line
            return server

        yield started


@pytest.fixture
def dispatcher(start, address, tmp_path):
    """Starts the dispatcher at `address`."""
    flags = ("--role=dispatcher", f"--port={address.split(':')[1]}", f"--work_dir={tmp_path / 'dispatcher'}")
    return lambda: start(*flags)


@pytest.fixture
def worker(start, address):
    """Starts a worker of the dispatcher at `address`."""
    return lambda: start("--role=worker", f"--dispatcher={address}")


@pytest.fixture
def config(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=64)
