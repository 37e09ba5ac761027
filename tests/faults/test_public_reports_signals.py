"""Signals and standard streams as public reports tell of them; each test names its report."""

import hashlib
import http.server
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from pipeline.common import errors
from pipeline.common.process import signals
from pipeline.common.process.worker_process import Worker
from pipeline.datasets import download
from tests.conftest import ROOT


def test_nohup_reaches_worker_processes():
    """open-mmlab/mmsegmentation#1998, hiyouga/LlamaFactory#3036: SIGHUP ends a distributed training under nohup."""
    program = (
        "import signal\n"
        "from pipeline.common.process.worker_process import Worker\n"
        "with Worker() as worker:\n"
        "    worker.submit(signal.getsignal, signal.SIGHUP)\n"
        "    print(worker.result())"
    )
    command = ["nohup", sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(int(signal.SIG_IGN))


def save_in_the_middle_of_signals(folder: pathlib.Path) -> None:
    """A training in a worker, to which Slurm and the parent send their signals while it saves."""
    with signals.Requests(listen=True) as requests:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert requests.received
        for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        (folder / "saved").touch()
    raise errors.InterruptedRunError("saved")


def test_slurm_signals_every_process_of_a_step_and_repeats_it(tmp_path):
    """GaTech-RL2/EgoVerse#621, Lightning-AI/pytorch-lightning#1455: --signal=USR1, then SIGCONT and SIGTERM for all.

    Lightning-AI/pytorch-lightning#21406: a handler that saves is itself interrupted.
    """
    with Worker() as worker:
        worker.submit(save_in_the_middle_of_signals, tmp_path)
        with pytest.raises(errors.InterruptedRunError):
            worker.result()
    assert (tmp_path / "saved").exists()


def test_workers_can_be_asked_to_end_where_the_caller_ignores_sigterm():
    """Lightning-AI/pytorch-lightning#5969: SIGTERM is bypassed, and the processes stay until they are killed."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Worker() as worker:
            worker.submit(signal.getsignal, signal.SIGTERM)
            assert worker.result() == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("module", ["models.train", "tuning.tune", "pipeline.prepare"])
def test_help_without_standard_streams(module):
    """CompOmics/ms2rescore#190, tqdm/tqdm#1768: without a console sys.stdout is None."""
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", module, "--help"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_pipe_that_another_process_has_made_non_blocking():
    """Textualize/rich#2492, nickstenning/honcho#168: BlockingIOError where much is printed."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    program = "from pipeline.common import app; app.run(lambda: print('x' * 300_000))"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=writer) as process:
        os.close(writer)
        with open(reader, "rb") as file:
            assert len(file.read()) == 300_001
    assert process.returncode == 0


def test_part_of_an_older_data_set_is_not_continued(tmp_path, monkeypatch):
    """mne-tools/mne-python#2719: the data set was updated. mir-dataset-loaders/mirdata#344: Ctrl-C left a part."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    contents = [b"first " * 50_000, b"second " * 50_000]

    class Host(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Last-Modified", f"Sun, 29 Nov 2026 00:00:0{len(contents)} GMT")
            self.send_header("Content-Length", str(len(contents[0])))
            self.end_headers()
            self.wfile.write(contents[0][: 100_000 if len(contents) > 1 else None])

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/file"
        sha256 = hashlib.sha256(contents[1]).hexdigest()
        with pytest.raises(download.DownloadError, match="100,000 bytes in"):
            download.fetch(url, tmp_path / "part", sha256=sha256)
        del contents[0]
        assert download.fetch(url, tmp_path / "part", sha256=sha256).read_bytes() == contents[0]
        server.shutdown()
