"""The binary: one process for both roles, a signal, and another dispatcher in the same folder."""

import itertools
import re
import signal

from pipeline.batches import OpenedData
from tests.binaries import call
from tests.pipeline.data_service.digests import digest, local


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
