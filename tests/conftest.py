"""Fixtures that many tests share, and the closing word on whether the real data were tested."""

import os
import pathlib
import signal
import threading

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory) -> str:
    """A data folder with shapes100_tiny prepared: 20 training and 5 test images a class."""
    from pipeline import prepare
    from pipeline.data_config import SourceConfig

    folder = str(tmp_path_factory.mktemp("data"))
    prepare.prepare(SourceConfig(dataset="shapes100_tiny", data_dir=folder))
    return folder


@pytest.fixture(scope="session")
def cifar100_archive() -> pathlib.Path:
    """The real data set's archive; a test that asks for it is skipped where CIFAR100_ARCHIVE is not set."""
    path = os.environ.get("CIFAR100_ARCHIVE")
    if not path:
        pytest.skip("CIFAR100_ARCHIVE is not set")
    return pathlib.Path(path)


@pytest.fixture(scope="session")
def real_data_dir(cifar100_archive, tmp_path_factory) -> str:
    """A data folder with the real CIFAR-100 prepared from CIFAR100_ARCHIVE."""
    from pipeline import prepare
    from pipeline.data_config import SourceConfig

    folder = str(tmp_path_factory.mktemp("real"))
    prepare.prepare(SourceConfig(data_dir=folder, archive=str(cifar100_archive)))
    return folder


@pytest.fixture
def press_ctrl_c():
    """A function that has this test interrupted after so many seconds, as Ctrl-C does."""
    timers = []
    # A shell's background jobs ignore it, and hand that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def press(seconds: float) -> None:
        timers.append(threading.Timer(seconds, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)))
        timers[-1].start()

    yield press
    for timer in timers:
        timer.cancel()
        timer.join()
    signal.signal(signal.SIGINT, before)


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Say whether the tests on real CIFAR-100 ran."""
    ran = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, ())
        if "real_data" in getattr(report, "keywords", ())  # a file that could not be collected has none
    ]
    told = f"{len(ran)} ran" if ran else "none ran (set CIFAR100_ARCHIVE to the archive to run them)"
    terminalreporter.write_line(f"tests on real CIFAR-100: {told}")
