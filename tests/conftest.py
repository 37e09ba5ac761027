"""Fixtures of many tests; the number of tests on real data and the memory of the test processes in the summary."""

import contextlib
import fcntl
import gc
import os
import pathlib
import signal
import socket
import threading
from collections.abc import Iterator
from unittest import mock

import hypothesis
import pytest

from pipeline.common.process import environment

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.update({**environment.DEFAULTS, **os.environ})  # before TensorFlow is imported, as the binaries do

# No test depends on how fast the machine is.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_PEAK_RSS_MIB = 3 * 1024  # of one test process
# Tests that train, start binaries or compile many graphs: they get the marker `long`, which `make check` leaves out.
LONG = (
    "benchmarks/augment",
    "benchmarks/gpu/test_main.py",
    "benchmarks/harness/test_cli_output.py",
    "benchmarks/harness/test_comparison.py",
    "benchmarks/harness/test_subprocess_call.py",
    "benchmarks/input",
    "benchmarks/memory/test_cases.py",
    "benchmarks/scaling/test_cases.py",
    "benchmarks/predict",
    "benchmarks/prepare",
    "benchmarks/profile",
    "benchmarks/replicas/test_main.py",
    "benchmarks/robustness",
    "benchmarks/harness/test_startup_times.py",
    "benchmarks/train_step",
    "benchmarks/tuner",
    "examples",
    "faults/test_bad_input.py",
    "faults/test_fuzz.py",
    "faults/test_public_reports_archives.py",
    "faults/test_config_files.py",
    "faults/test_public_reports_signals.py",
    "faults/test_tracing.py",
    "faults/test_public_reports_damaged.py",
    "models/architectures",
    "models/config/test_every_flag.py",
    "models/exporting",
    "models/optimizers/test_build.py",
    "models/optimizers/test_weight_averaging.py",
    "models/prediction",
    "models/runs/test_warm_start.py",
    "models/runtime/test_device.py",
    "models/runtime/test_precision.py",
    "models/serving",
    "models/test_written_by_710a023.py",
    "models/training",
    "pipeline/augment/test_composition.py",
    "pipeline/augment/test_in_models.py",
    "pipeline/augment/test_operations.py",
    "pipeline/augment/test_random_operations.py",
    "pipeline/augment/test_sets.py",
    "pipeline/common/process",
    "pipeline/data_service",
    "pipeline/datasets/cifar/test_archive.py",
    "pipeline/datasets/cifar/test_builder.py",
    "pipeline/datasets/cifar/test_packings.py",
    "pipeline/datasets/conversion",
    "pipeline/explore",
    "pipeline/gallery",
    "pipeline/test_batches.py",
    "pipeline/test_contents.py",
    "pipeline/test_prepare.py",
    "pipeline/test_prepare_cifar10.py",
    "pipeline/test_prepare_download.py",
    "pipeline/test_prepare_processes.py",
    "pipeline/test_split.py",
    "test_binaries.py",
    "test_in_one_process.py",
    "test_own_images.py",
    "test_settings.py",
    "test_toy_parts.py",
    "tuning/sessions/test_chief.py",
    "tuning/sessions/test_chief_clients.py",
    "tuning/sessions/oracles/test_conditional_space.py",
    "tuning/sessions/oracles/test_hyperband.py",
    "tuning/sessions/oracles/test_journaled.py",
    "tuning/sessions/reporting/test_report.py",
    "tuning/sessions/test_search.py",
    "tuning/sessions/test_session.py",
    "tuning/sessions/test_budget.py",
    "tuning/sessions/trade_offs/test_session.py",
    "tuning/test_study.py",
    "tuning/test_tune.py",
    "tuning/test_written_by_710a023.py",
)
PEAK_RSS_MIB: dict[str, int] = {}  # of each test process, by pytest-xdist's name for it


@contextlib.contextmanager
def shared_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[pathlib.Path]:
    """Yield a folder that all processes of this test run share, while no other of them is in here."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # a worker's own folder lies in the run's
    folder = folder / f"shared_{name}"
    folder.mkdir(exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory) -> str:
    """A data folder with shapes100_tiny prepared: 20 training and 5 test images a class."""
    from pipeline import prepare
    from pipeline.data_config import SourceConfig

    with shared_folder(tmp_path_factory, "tiny") as folder:
        prepare.prepare(SourceConfig(dataset="shapes100_tiny", data_dir=str(folder)))
    return str(folder)


@pytest.fixture(scope="session")
def cifar100_archive() -> pathlib.Path:
    """The real data set's archive; a test that asks for it is skipped where CIFAR100_ARCHIVE is not set."""
    path = os.environ.get("CIFAR100_ARCHIVE")
    if not path:
        pytest.skip("CIFAR100_ARCHIVE is not set")
    from pipeline.common import paths

    return paths.local(path, "CIFAR100_ARCHIVE")


@pytest.fixture(scope="session")
def real_data_dir(cifar100_archive, tmp_path_factory) -> str:
    """A data folder with the real CIFAR-100 prepared from CIFAR100_ARCHIVE."""
    from pipeline import prepare
    from pipeline.data_config import SourceConfig

    with shared_folder(tmp_path_factory, "real") as folder:
        prepare.prepare(SourceConfig(data_dir=str(folder), archive=str(cifar100_archive)))
    return str(folder)


@pytest.fixture(autouse=True)
def removed_variables_forgotten():
    """Have a binary that is called in this process read no variable that another test's call has removed."""
    with mock.patch.dict(environment.removed):
        yield


@pytest.fixture
def mount_tmpfs():
    """A function that mounts a tmpfs of so many bytes on a folder until the test ends, skipped where nothing mounts."""
    from pipeline.common import errors
    from tests.faults import disks

    with contextlib.ExitStack() as stack:

        def mount(folder: pathlib.Path, num_bytes: int, *options: str) -> None:
            try:
                stack.enter_context(disks.mounted(folder, disks.Room(num_bytes, 1000), *options))
            except errors.FailedError as error:
                pytest.skip(str(error))

        yield mount


@pytest.fixture
def press_ctrl_c():
    """A function that interrupts this test, as Ctrl-C does, once a file has a content."""
    threads, is_over = [], threading.Event()

    def press_when_written(path: pathlib.Path) -> None:
        while not (path.exists() and path.stat().st_size):
            if is_over.wait(0.01):
                return
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def press(path: pathlib.Path) -> None:
        threads.append(threading.Thread(target=press_when_written, args=[path]))
        threads[-1].start()

    gc.collect()
    gc.disable()  # in a finalizer of what other tests left, Python would swallow the interrupt
    yield press
    gc.enable()
    is_over.set()
    for thread in threads:
        thread.join()


def pytest_configure(config):
    """Undo what a caller ignores, for which signals stay ignored: a shell's background job SIGINT, nohup SIGHUP."""
    for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, action)


def pytest_collection_finish(session):
    """Leave what is imported out of garbage collections: of these, each `clear_session` of Keras makes one."""
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Mark the tests of the files and folders in LONG."""
    folders = [ROOT / "tests" / name for name in LONG]
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in folders):
            item.add_marker("long")


def peak_rss_mib() -> int:
    """Return the highest resident memory that this process has had; 0 where the kernel does not say."""
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)
    return 0


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Take the memory of a worker of pytest-xdist that has ended; one that crashed has sent none."""
    PEAK_RSS_MIB[node.gateway.id] = getattr(node, "workeroutput", {}).get("peak_rss_mib", 0)


def pytest_sessionfinish(session, exitstatus):
    """Hand this process's memory to the summary; a process above the limit fails the run."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak_rss_mib"] = peak_rss_mib()
        return
    PEAK_RSS_MIB["main"] = peak_rss_mib()
    if exitstatus == pytest.ExitCode.OK and max(PEAK_RSS_MIB.values()) > MAX_PEAK_RSS_MIB:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Write how many tests on real CIFAR-100 ran, and the peak memory of each test process."""
    ran = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, ())
        if "real_data" in getattr(report, "keywords", ())  # a file that could not be collected has none
    ]
    count = f"{len(ran)} ran" if ran else "none ran (set CIFAR100_ARCHIVE to the archive to run them)"
    terminalreporter.write_line(f"tests on real CIFAR-100: {count}")
    peaks = ", ".join(f"{name} {peak:,} MiB" for name, peak in sorted(PEAK_RSS_MIB.items()))
    terminalreporter.write_line(f"peak memory of the test processes: {peaks} (limit {MAX_PEAK_RSS_MIB:,})")


@pytest.fixture
def address():
    """HOST:PORT of a port of this machine that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"
