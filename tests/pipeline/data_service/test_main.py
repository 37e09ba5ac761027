"""The binary: one process for both roles, a signal, and another dispatcher in the same folder."""

import contextlib
import itertools
import re
import signal
import subprocess
import sys

from pipeline.batches import OpenedData
from tests.binaries import call
from tests.conftest import ROOT
from tests.pipeline.data_service.digests import digest, local

PROGRAM = """
import sys
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig

data_dir, address = sys.argv[1:]
data = DataConfig(dataset="shapes100_tiny", data_dir=data_dir, num_validation=500, data_service=address)
stream = iter(OpenedData(data).train(3))
next(stream)
print("a batch", flush=True)
input()
"""


def test_one_process_is_dispatcher_and_worker_until_a_signal(start, config, tmp_path):
    server = start("--port=0", f"--work_dir={tmp_path / 'work'}")
    address = re.search(r"--data_service=(\S+);", server.first_line)[1]
    stream = OpenedData(config.replace(data_service=address)).train(3)
    assert [digest(batch) for batch in itertools.islice(stream, 3)] == local(config, 0, 3)
    taken = call("pipeline.data_service", "--port=0", f"--work_dir={tmp_path / 'work'}")
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert taken.stderr.startswith(f"error: work_dir={tmp_path / 'work'}: ")
    taken = call("pipeline.data_service", f"--port={address.split(':')[1]}", f"--work_dir={tmp_path / 'other'}")
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert re.match(rf"error: port=\S*{address.split(':')[1]}: ", taken.stderr)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait() == 0


def test_process_with_an_open_stream_ends_as_others_do(dispatcher, worker, address, config):
    servers = [dispatcher(), worker()]
    command = [sys.executable, "-c", PROGRAM, config.data_dir, address]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(subprocess.Popen(command, cwd=ROOT, **pipes)) for _ in range(2)]
        assert [program.stdout.readline() for program in programs] == ["a batch\n"] * 2
        _, errors = programs[0].communicate("\n")
        assert (programs[0].returncode, "terminate" in errors, "FATAL" in errors) == (0, False, False)
        for server in servers:
            server.kill()
        _, errors = programs[1].communicate("\n")
        assert (programs[1].returncode, "terminate" in errors, "FATAL" in errors) == (0, False, False)
