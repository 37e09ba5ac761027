"""Two worker processes train what one process trains; what they do where one of them is lost or gets a signal."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import psutil
import pytest

from models.runs import checkpoints
from models.runtime import cluster, launcher
from pipeline.common import errors
from tests.addresses import other_than_loopback
from tests.binaries import call, command
from tests.conftest import ROOT

# Every epoch is a step, so that rows hold the losses of single steps.
STEPS = ("--virtual_examples=64", "--batch_size=64", "--schedule=constant", "--precision=float32")
QUICK = (*STEPS, "--learning_rate=0.002", "--num_validation=500")
SPEEDRUN = (*QUICK, "--architecture=speedrun", "--widths=8,8,16", "--bottlenecks=8,8,16", "--optimizer=muon")
LINEAR = (*STEPS, "--architecture=linear", "--learning_rate=0.01", "--num_validation=0", "--augmentation=flip_shift")
WORKERS = ("--distribute=multi_worker",)
TWO = (*WORKERS, "--num_processes=2")
ENDLESS = "--epochs=100000"
POLL_SECONDS = 0.01


@pytest.fixture
def flags(tiny_data_dir):
    return (f"--data_dir={tiny_data_dir}", "--dataset=shapes100_tiny")


def losses(run_dir: pathlib.Path, name: str = "train_loss") -> np.ndarray:
    return np.array([json.loads(line)[name] for line in (run_dir / "metrics.jsonl").read_text().splitlines()])


def weights(run_dir: pathlib.Path) -> np.ndarray:
    checkpoint = checkpoints.load(run_dir / "checkpoint" / "state.npz")
    return np.concatenate([value.ravel().astype(np.float64) for value in checkpoint.values])


def distance(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.linalg.norm(one - two) / np.linalg.norm(one))


def wait_for(is_there: Callable[[], bool], *processes: subprocess.Popen) -> None:
    while not is_there():
        assert all(process.poll() is None for process in processes)
        time.sleep(POLL_SECONDS)


# models.train, with a patch that follows the loading of TensorFlow.
PATCHED = """
import runpy, sys
from pipeline.common import app

loaded, patch = app.load_tensorflow, sys.argv.pop(1)

def load_tensorflow():
    loaded()
    exec(patch, {})

app.load_tensorflow = load_tensorflow
runpy.run_module("models.train", run_name="__main__", alter_sys=True)
"""
# The first check of the weights, after the first step, raises one of TensorFlow's errors.
FAILING = """
import tensorflow
from models.runtime import cluster
from models.training import policy

def fail(model):
    raise tensorflow.errors.InternalError(None, None, "of its own")

cluster.ENDING_SECONDS, policy.check_weights = 0.0, fail
"""
IMPATIENT = """
from models.runtime import cluster, replicas

cluster.GREETING_SECONDS, replicas.JOIN_SECONDS = 0.5, 1.0
"""


def start(worker: cluster.Cluster, *arguments: str, patch: str = "") -> subprocess.Popen:
    """A worker, as a scheduler starts it."""
    program = [sys.executable, "-c", PATCHED, patch] if patch else command("models.train")
    return subprocess.Popen(
        [*program, *arguments, *WORKERS],
        cwd=ROOT,
        env={**os.environ, "TF_CONFIG": worker.as_tf_config()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def started(*arguments: str, chiefs_patch: str = "") -> list[subprocess.Popen]:
    """Two workers."""
    return [
        start(worker, *arguments, patch=chiefs_patch if worker.is_chief else "")
        for worker in cluster.of_this_machine(2)
    ]


def test_two_processes_train_what_one_trains(flags, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for run_dir, added in ((one, ()), (two, (*TWO, "--sync_batch_norm"))):
        done = call("models.train", *flags, *QUICK, "--epochs=10", f"--run_dir={run_dir}", *added)
        assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-5)
    np.testing.assert_allclose(losses(two, "validation_loss"), losses(one, "validation_loss"), rtol=1e-3)
    assert distance(weights(one), weights(two)) < 1e-3
    reports = [json.loads((run_dir / "report.json").read_text()) for run_dir in (one, two)]
    assert [report["num_replicas"] for report in reports] == [1, 2]
    assert [report["examples_evaluated"] for report in reports] == [500, 500]
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}


def test_two_processes_normalize_by_the_statistics_of_their_parts(flags, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for run_dir, added in ((one, ()), (two, TWO)):
        done = call("models.train", *flags, *SPEEDRUN, "--epochs=3", f"--run_dir={run_dir}", *added)
        assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(losses(two), losses(one), rtol=0.05)
    assert distance(weights(one), weights(two)) > 1e-3


def test_signal_to_one_worker_saves_and_ends_both_and_one_process_goes_on(flags, tmp_path):
    run_dir = tmp_path / "run"
    arguments = (*flags, *LINEAR, ENDLESS, f"--run_dir={run_dir}")
    workers = started(*arguments)
    wait_for((run_dir / "metrics.jsonl").exists, *workers)
    workers[1].send_signal(signal.SIGTERM)
    outputs = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [3, 3], outputs
    of_two = losses(run_dir)
    alone = subprocess.Popen(command("models.train", *arguments), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(losses(run_dir)) > len(of_two), alone)
    alone.send_signal(signal.SIGTERM)
    alone.communicate()
    assert alone.returncode == 3
    workers = started(*arguments)
    of_both = losses(run_dir)
    wait_for(lambda: len(losses(run_dir)) > len(of_both), *workers)
    workers[1].kill()
    (_, chiefs_stderr), _ = (worker.communicate() for worker in workers)
    assert workers[0].returncode == 4
    *_, last = chiefs_stderr.splitlines()
    assert last.startswith("error: lost worker 1 (127.0.0.1:")
    found = losses(run_dir)
    reference = tmp_path / "reference"
    done = call("models.train", *flags, *LINEAR, f"--epochs={len(found)}", f"--run_dir={reference}")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(found, losses(reference), rtol=1e-4)


def test_error_of_a_worker_s_own_is_not_that_of_a_lost_one(flags, tmp_path):
    workers = started(*flags, *LINEAR, ENDLESS, f"--run_dir={tmp_path / 'run'}", chiefs_patch=FAILING)
    outputs = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [1, 4], outputs
    chiefs, others = (stderr.splitlines()[-1] for _, stderr in outputs)
    assert chiefs.startswith("error: InternalError: of its own")
    assert others.startswith("error: lost worker 0 (127.0.0.1:")


def test_workers_of_a_trained_run_end_while_the_chief_evaluates(flags, tmp_path):
    arguments = (*flags, *LINEAR, "--epochs=2", f"--run_dir={tmp_path}")
    done = call("models.train", *arguments)
    assert done.returncode == 0, done.stderr
    before = (tmp_path / "model.keras").read_bytes()
    done = call("models.train", *arguments, *TWO, "--evaluate_test")
    assert done.returncode == 0, done.stderr
    assert "test" in json.loads((tmp_path / "report.json").read_text())["evaluations"]
    assert (tmp_path / "model.keras").read_bytes() == before


def test_launcher_refuses_a_batch_that_workers_cannot_divide(flags, tmp_path):
    done = call("models.train", *flags, *LINEAR, *WORKERS, "--num_processes=3", f"--run_dir={tmp_path}")
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if "batch_size=64: " in line] == done.stderr.splitlines()[-1:]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("dataset", "expected"), [("shapes100_tiny", "shapes100_tiny"), ("auto", "cifar100")])
def test_worker_refuses_data_that_are_not_prepared(dataset, expected, tmp_path, monkeypatch):
    """TensorFlow computes to prepare them, and could not connect the worker to others afterwards."""
    (worker,) = cluster.of_this_machine(1)
    monkeypatch.setenv("TF_CONFIG", worker.as_tf_config())
    flags = (f"--data_dir={tmp_path / 'data'}", f"--dataset={dataset}", "--max_steps=1")
    done = call("models.train", *flags, *WORKERS, f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert f"{expected} is not prepared" in line
    assert f"pipeline.prepare --dataset={expected}" in line
    assert not any(tmp_path.iterdir())


def test_launcher_refuses_the_workers_of_a_scheduler(flags, tmp_path, monkeypatch):
    (worker, _) = cluster.of_this_machine(2)
    monkeypatch.setenv("TF_CONFIG", worker.as_tf_config())
    done = call("models.train", *flags, *LINEAR, *TWO, f"--run_dir={tmp_path}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "num_processes=2" in line
    assert "TF_CONFIG" in line


@pytest.mark.parametrize("code", [1, 2])  # 1: such as a divergence
def test_error_of_all_workers_is_told_once(code, capfd):
    program = f"import sys; sys.exit(print('error: the same', file=sys.stderr) or {code})"
    assert launcher.run([sys.executable, "-c", program], num_processes=3, restarts=1) == code
    assert capfd.readouterr().err.splitlines() == ["error: the same"]


# Worker 1 ignores SIGTERM and does not end. Once it does so, worker 0 ends: as after a save, having sent the launcher a
# signal, or without an error.
HANGING = """
import json, os, pathlib, signal, sys, time
is_ready, code = pathlib.Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if json.loads(os.environ["TF_CONFIG"])["task"]["index"]:
    is_ready.touch()
    time.sleep(3600)
while not is_ready.exists():
    time.sleep(0.01)
if code:
    os.kill(os.getppid(), signal.SIGTERM)
sys.exit(code)
"""


@pytest.mark.parametrize("code", [3, 0])
def test_worker_that_does_not_end_is_killed_and_named(code, tmp_path, monkeypatch):
    monkeypatch.setattr(launcher, "LOST_SECONDS", 0.5)
    command = [sys.executable, "-c", HANGING, str(tmp_path / "ready"), str(code)]
    with pytest.raises(errors.WorkerLostError, match=r"^lost worker 1 \(did not end"):
        launcher.run(command, num_processes=2, restarts=0, saving_seconds=0.5)


def test_lost_workers_are_started_again_and_end_with_the_same_weights(flags, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    arguments = (*flags, *LINEAR, *TWO, "--epochs=200", "--restarts=1")
    done = call("models.train", *arguments, f"--run_dir={undisturbed}")
    assert done.returncode == 0, done.stderr
    launcher = subprocess.Popen(
        command("models.train", *arguments, f"--run_dir={disturbed}"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    wait_for((disturbed / "metrics.jsonl").exists, launcher)
    first, _ = sorted(psutil.Process(launcher.pid).children(), key=lambda process: process.create_time())
    first.kill()
    _, stderr = launcher.communicate()
    assert launcher.returncode == 0, stderr
    assert "lost worker 0 (signal 9); starting all again, 1 of 1" in stderr
    np.testing.assert_array_equal(weights(disturbed), weights(undisturbed))


def test_worker_waits_for_another_until_a_signal(flags, tmp_path):
    worker, absent = started(*flags, *LINEAR, f"--run_dir={tmp_path / 'run'}")
    absent.kill()
    absent.communicate()
    lines = iter(worker.stderr.readline, "")
    assert any(line.startswith("waiting for worker 1 (127.0.0.1:") for line in lines)
    worker.send_signal(signal.SIGTERM)
    _, stderr = worker.communicate()
    assert worker.returncode == 3
    assert "interrupted while waiting for worker 1 (127.0.0.1:" in stderr
    assert not (tmp_path / "run").exists()


def test_worker_that_comes_and_does_not_join_is_named(flags, tmp_path):
    """As one that is killed between the two; TensorFlow alone would wait for an hour, and heed no signal."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        addresses = (cluster.of_this_machine(1)[0].addresses[0], f"127.0.0.1:{other.getsockname()[1]}")
        worker = start(cluster.Cluster(addresses, 0), *flags, *LINEAR, f"--run_dir={tmp_path / 'run'}", patch=IMPATIENT)
        _, stderr = worker.communicate()
    assert worker.returncode == 4
    assert stderr.splitlines()[-1].startswith(f"error: no contact with worker 1 ({addresses[1]}): ")
    assert not (tmp_path / "run").exists()


def test_worker_that_never_comes_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "WAIT_SECONDS", 0.5)
    one, _ = cluster.of_this_machine(2)
    with pytest.raises(errors.WorkerLostError, match=r"^no contact with worker 1 \(127"):
        one.meet()


LISTENING = """
import sys
from models.runtime import replicas

replicas.of("multi_worker")
print("listens", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("names_loopback", [True, False])
def test_port_is_open_to_the_machines_that_the_cluster_names(names_loopback):
    other = other_than_loopback(socket.AF_INET)
    port = int(cluster.of_this_machine(1)[0].addresses[0].split(":")[1])
    worker = cluster.Cluster((f"{'127.0.0.1' if names_loopback else other}:{port}",), 0)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "TF_CONFIG": worker.as_tf_config()}
    with subprocess.Popen([sys.executable, "-c", LISTENING], cwd=ROOT, env=environment, **pipes) as process:
        assert process.stdout.readline() == "listens\n"
        socket.create_connection(("127.0.0.1", port), timeout=600).close()
        with pytest.raises(TimeoutError) if names_loopback else contextlib.nullcontext():
            socket.create_connection((other, port), timeout=1).close()
        process.communicate()


def test_port_that_is_taken_is_named(flags, tmp_path, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setenv("TF_CONFIG", cluster.Cluster((address, "127.0.0.1:1"), 0).as_tf_config())
        done = call("models.train", *flags, *LINEAR, *WORKERS, f"--run_dir={tmp_path}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: cannot listen on {address}: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "JSON"),
        ("{}", "cluster"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "worker 1"),
        ('{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "'ps'"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "'a:1'"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "'a'"),
    ],
)
def test_bad_cluster_is_refused(monkeypatch, text, expected):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(errors.BadArgumentError, match=rf"^TF_CONFIG=.*{expected}"):
        cluster.from_environment()


def test_chief_is_the_first_worker(monkeypatch):
    tasks = {"worker": ["b:1", "c:1"], "chief": ["a:1"]}
    for kind, index, expected in (("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": tasks, "task": {"type": kind, "index": index}}))
        found = cluster.from_environment()
        assert (found.addresses, found.index, found.is_chief) == (("a:1", "b:1", "c:1"), expected, expected == 0)
