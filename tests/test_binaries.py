"""The binaries as a person meets them, on shapes100_tiny: in processes of their own where that matters."""

import contextlib
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

from models import evaluate, train
from models.runs.folder import RunFolder
from models.training import evaluation
from models.training.evaluation import evaluate_run
from pipeline import prepare
from tests.binaries import call, call_here, call_signalled, call_signalled_at_import, signal_at
from tests.conftest import ROOT
from tests.faults.tracing import contents
from tests.models.training.linear_runs import timeless
from tuning import study, tune

TINY = ("--dataset=shapes100_tiny", "--num_validation=500", "--precision=float32")
# 4 steps an epoch of the main job's own network, small enough for a test.
SMALL = (*TINY, "--batch_size=128", "--virtual_examples=512", "--epochs=2")


def rows(run_dir: pathlib.Path) -> list[dict]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return timeless([json.loads(line) for line in lines])


@pytest.fixture(scope="module")
def finished(tiny_data_dir, tmp_path_factory) -> tuple[pathlib.Path, subprocess.CompletedProcess]:
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    done = call("models.train", *SMALL, f"--data_dir={tiny_data_dir}", f"--run_dir={run_dir}")
    assert done.returncode == 0, done.stderr
    return run_dir, done


def test_train_leaves_a_whole_run_folder(finished):
    run_dir, _ = finished
    expected = {"config.json", "metrics.jsonl", "checkpoint", "model.keras", "report.json", "report.html"}
    expected |= {"confusion.json", "calibration.json", "mistakes.json", "predictions.json", "report.md"}
    assert expected <= {path.name for path in run_dir.iterdir()}
    assert not list(run_dir.rglob("*partial*"))


def test_run_killed_in_its_second_epoch_ends_as_if_it_had_not_been(finished, tiny_data_dir, tmp_path, monkeypatch):
    whole, _ = finished
    run_dir = tmp_path / "killed"
    flags = (*SMALL, f"--data_dir={tiny_data_dir}", f"--run_dir={run_dir}")
    killed = call_signalled(signal.SIGKILL, "metrics.jsonl", "models.train", *flags)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(rows(run_dir)) == 1
    assert not (run_dir / "report.json").exists()
    assert call_here(monkeypatch, train.main, train.flags, *flags) == 0
    assert rows(run_dir) == rows(whole)


def test_finished_run_called_again_changes_nothing(finished, tiny_data_dir):
    run_dir, _ = finished
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*") if path.name != ".lock"}
    done = call("models.train", *SMALL, f"--data_dir={tiny_data_dir}", f"--run_dir={run_dir}")
    assert done.returncode == 0
    assert "finished" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in run_dir.rglob("*") if path.name != ".lock"} == before


def test_other_epochs_on_a_finished_run_are_refused(finished, tiny_data_dir):
    run_dir, _ = finished
    done = call("models.train", *SMALL[:-1], "--epochs=4", f"--data_dir={tiny_data_dir}", f"--run_dir={run_dir}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: run_dir=")
    assert re.search(r"epochs=2.0 .*4.0", done.stderr)


def test_saved_configuration_is_that_of_the_run(finished):
    run_dir, _ = finished
    done = call("models.train", f"--config={run_dir / 'config.json'}", f"--run_dir={run_dir}")
    assert (done.returncode, "finished" in done.stdout) == (0, True), done.stderr
    other = call("models.train", f"--config={run_dir / 'config.json'}", "--seed=1", f"--run_dir={run_dir}")
    assert (other.returncode, "seed=0" in other.stderr) == (2, True)


def test_log_has_a_line_an_epoch_and_no_bar(finished):
    _, done = finished
    assert "Epoch 2/2" in done.stdout
    assert "\x08" not in done.stdout
    assert "\r" not in done.stdout


def test_tensorflow_starts_and_finds_its_devices_without_a_word(finished):
    """Of stderr, all is progress: TensorFlow's messages begin with a capital or a digit."""
    _, done = finished
    assert [line for line in done.stderr.splitlines() if not line[:1].islower()] == []


def test_damaged_model_is_one_line(finished, tiny_data_dir, tmp_path, monkeypatch, capsys):
    run_dir, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(run_dir, copy)
    (copy / "model.keras").write_bytes(b"PK")
    flags = (f"--run_dir={copy}", f"--data_dir={tiny_data_dir}")
    assert call_here(monkeypatch, evaluate.main, evaluate.flags, *flags) == 1
    told = capsys.readouterr().err
    assert "model.keras" in told.splitlines()[-1]
    assert "Traceback" not in told


def test_evaluate_replaces_the_figures_and_keeps_the_times(finished, tiny_data_dir, monkeypatch, capsys):
    run_dir, _ = finished
    before = json.loads((run_dir / "report.json").read_text())
    calibrated = (run_dir / "calibration.json").read_bytes()
    evaluate_run(RunFolder(run_dir), "validation", tiny_data_dir)
    same = json.loads((run_dir / "report.json").read_text())
    assert same == before  # models.train has evaluated it
    assert (run_dir / "calibration.json").read_bytes() == calibrated
    assert set(same["evaluations"]) == {"validation"}
    flags = (f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}", "--split=test")
    assert call_here(monkeypatch, evaluate.main, evaluate.flags, *flags) == 0
    after = json.loads((run_dir / "report.json").read_text())
    changed = {key for key in before if before[key] != after[key]}
    assert "split" in changed
    assert changed <= {
        *("split", "calibration", "evaluations"),
        "examples_evaluated",
        *("fine_balanced_accuracy", "coarse_balanced_accuracy"),
        *("fine_accuracy", "coarse_accuracy", "coarse_from_fine_accuracy"),
        *("loss", "fine_loss", "coarse_loss"),
        *("flip_averaged_fine_accuracy", "flip_averaged_coarse_accuracy", "flip_averaged_coarse_from_fine_accuracy"),
    }
    assert 0 <= after["flip_averaged_fine_accuracy"] <= 1
    assert set(after["evaluations"]) == {"validation", "test"}
    for split, report in (("validation", same), ("test", after)):
        assert after["evaluations"][split] == {key: report[key] for key in after["evaluations"][split]}
        assert after["evaluations"][split]["split"] == split
    assert f"on validation: fine {100 * before['fine_accuracy']:.2f} %, coarse " in capsys.readouterr().out


def test_run_killed_in_its_evaluation_is_evaluated_by_the_same_command(tiny_data_dir, tmp_path, monkeypatch):
    flags = (*TINY, "--preset=linear", "--max_steps=4", f"--data_dir={tiny_data_dir}")
    whole, killed, failed = (tmp_path / name for name in ("whole", "killed", "failed"))
    assert call_here(monkeypatch, train.main, train.flags, *flags, f"--run_dir={whole}") == 0
    done = call_signalled(signal.SIGKILL, "calibration.json", "models.train", *flags, f"--run_dir={killed}")
    assert done.returncode == -signal.SIGKILL, done.stderr
    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "evaluate_splits", lambda *_: sys.exit(7))
        assert call_here(monkeypatch, train.main, train.flags, *flags, f"--run_dir={failed}") == 7
    for run_dir in (killed, failed):
        assert json.loads((run_dir / "report.json").read_text())["calibration"] == {}
        assert not (run_dir / "report.html").exists()
        assert call_here(monkeypatch, train.main, train.flags, *flags, f"--run_dir={run_dir}") == 0
        differences = contents.differences(contents.of_folder(whole), contents.of_folder(run_dir))
        assert [line for line in differences if "pixel_scaling" not in line] == []  # a layer is numbered in a process
        for name in ("calibration.json", "confusion.json", "mistakes.json", "predictions.json"):
            assert (run_dir / name).read_bytes() == (whole / name).read_bytes()


def test_run_without_validation_images_has_no_temperature(tiny_data_dir, tmp_path, monkeypatch, capsys):
    run_dir, flags = tmp_path / "run", ("--dataset=shapes100_tiny", "--preset=linear", "--max_steps=1")
    flags = (*flags, "--num_validation=0", "--evaluate_test", f"--data_dir={tiny_data_dir}", f"--run_dir={run_dir}")
    assert call_here(monkeypatch, train.main, train.flags, *flags) == 0
    calibrated = RunFolder(run_dir).evaluated("calibration")
    assert (calibrated["temperatures"], calibrated["fitted_on"], set(calibrated["splits"])) == ({}, None, {"test"})
    assert "no temperature: nothing was held out" in capsys.readouterr().out


def test_interrupted_run_ends_with_three_and_says_how_to_go_on(tiny_data_dir, tmp_path, monkeypatch, capsys):
    flags = (*TINY, "--preset=linear", f"--data_dir={tiny_data_dir}", f"--run_dir={tmp_path / 'run'}")
    signal_at(signal.SIGTERM, "metrics.jsonl")
    assert call_here(monkeypatch, train.main, train.flags, *flags) == 3
    assert "same command" in capsys.readouterr().err.splitlines()[-1]
    assert (tmp_path / "run" / "checkpoint" / "state.npz").exists()


@pytest.mark.parametrize(
    ("number", "module", "binary", "moment"),
    [
        (signal.SIGTERM, "tensorflow", "models.train", "while loading TensorFlow, before the training"),
        (signal.SIGXCPU, "tensorflow_datasets", "models.train", "before the training"),
        (signal.SIGHUP, "tensorflow", "tuning.tune", "while loading TensorFlow, before the search"),
        (signal.SIGINT, "tensorflow_datasets", "pipeline.prepare", ""),
    ],
)
def test_signal_before_the_work_begins_ends_with_three_and_one_line(tmp_path, number, module, binary, moment):
    folders = {"models.train": ["--run_dir=work"], "tuning.tune": ["--session_dir=work"]}
    flags = ["--dataset=shapes100_tiny", "--data_dir=data", *folders.get(binary, [])]
    flags = [flag.replace("_dir=", f"_dir={tmp_path}/") for flag in flags]
    done = call_signalled_at_import(number, module, binary, *flags)
    line = done.stderr.splitlines()[-1]
    assert (done.returncode, line.startswith("error: interrupted")) == (3, True), done.stderr
    assert moment in line
    assert "same command" in line
    assert not (tmp_path / "work").exists()
    assert [path for path in tmp_path.rglob(".staging-*") if path.exists()] == []


@pytest.mark.parametrize("binary", ["models.train", "pipeline.prepare", "tuning.tune", "benchmarks.bench"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_modules_are_imported_ends_with_three_and_one_line(tmp_path, monkeypatch, binary, number):
    """Tracer-Cloud/opensre#2748, Chia-Network/chia-blockchain#14409: a Ctrl-C at the start ended in a traceback."""
    (tmp_path / "numpy.py").write_text(f"import os\nos.kill(os.getpid(), {int(number)})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = call(binary)
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(r"error: interrupted.*\n", done.stderr), done.stderr


def test_signals_of_other_programs_are_left_alone(tmp_path):
    program = "import signal, models.train; print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_evaluation_on_a_full_disk_prints_its_figures_and_then_fails(finished, tiny_data_dir, tmp_path, mount_tmpfs):
    run_dir, _ = finished
    mount_tmpfs(tmp_path, 64 * 2**20)
    shutil.copytree(run_dir, tmp_path / "run")
    before = (tmp_path / "run" / "report.json").read_bytes()
    with contextlib.suppress(OSError), (tmp_path / "full").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))
    done = call("models.evaluate", f"--run_dir={tmp_path / 'run'}", f"--data_dir={tiny_data_dir}", "--split=test")
    assert done.returncode == 1
    assert re.search(r"Fine accuracy +\d", done.stdout)
    assert "500 examples" in done.stdout
    assert re.match(
        rf"error: run_dir={tmp_path / 'run'}: \w+\.json cannot be written \(No space", done.stderr.splitlines()[-1]
    )
    assert (tmp_path / "run" / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("binary", "flags", "message"),
    [
        ("models.train", ["--epochs=-1"], "epochs=-1.0: expected at least 0.001"),
        ("models.train", ["--preset=quik"], "did you mean 'quick'?"),
        ("models.train", ["--epoch=1"], "'epoch'"),
        ("models.train", ["--learning_rate=x"], "'x'"),
        ("tuning.study", ["--study=pooling", "--repeats=two"], "'two'"),
        ("models.train", ["--batch_size=2.5"], "batch_size=2.5"),
        ("models.train", ["quick"], "'quick'"),
        ("models.train", ["--config=/none.json"], "config=/none.json"),
        ("models.evaluate", [], "run_dir"),
        ("models.evaluate", ["--run_dir=/none"], "run_dir=/none"),
        ("models.evaluate", ["--split=train"], "split=train"),
        ("pipeline.prepare", ["--dataset=imagenet"], "dataset='imagenet': expected one of"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_two(binary, flags, message):
    done = call(binary, *flags)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert message in lines[0]


def test_precedence_is_preset_then_file_then_flag(tiny_data_dir, tmp_path, monkeypatch, capsys):
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps({"preset": "linear", "learning_rate": 0.01, "batch_size": 50}))
    flags = (f"--config={saved}", "--batch_size=60", "--max_steps=1", *TINY, f"--data_dir={tiny_data_dir}")
    assert call_here(monkeypatch, train.main, train.flags, *flags, f"--run_dir={tmp_path / 'r'}") == 0
    used = json.loads((tmp_path / "r" / "config.json").read_text())
    assert (used["preset"], used["architecture"]) == ("linear", "linear")  # the file's preset
    assert (used["learning_rate"], used["batch_size"]) == (0.01, 60)  # the file over the preset, the flag over the file
    capsys.readouterr()
    assert call_here(monkeypatch, train.main, train.flags, f"--config={saved}", "--preset=quick") == 2
    mixed = capsys.readouterr().err
    assert mixed.startswith("error: preset=quick: ")
    assert "--config" in mixed
    assert "linear" in mixed


def test_finished_run_needs_no_data_to_say_so(finished, tmp_path):
    run_dir, _ = finished
    done = call("models.train", *SMALL, f"--data_dir={tmp_path / 'gone'}", f"--run_dir={run_dir}")
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    assert not (tmp_path / "gone").exists()


def test_any_spelling_of_a_path_names_one_run_on_one_data_folder(tiny_data_dir, tmp_path, monkeypatch, capsys):
    """No folder is called ~ (tensorflow/datasets#4117), and brackets are no pattern (tensorflow/tensorflow#34290)."""
    name = 'o\'neil "mü" [1]{x}*?%s,b'
    (tmp_path / name).mkdir()
    (tmp_path / name / "data").symlink_to(tiny_data_dir)
    (tmp_path / "link").symlink_to(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (f"~/{name}", "./link/../link/", tmp_path / name, f"{name}//"):
        flags = (*TINY, "--preset=linear", "--max_steps=1", "--cache=disk", f"--data_dir={folder}/data")
        assert call_here(monkeypatch, train.main, train.flags, *flags, f"--run_dir={folder}/run") == 0
        assert ("is finished" in capsys.readouterr().out) == (folder != f"~/{name}")
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {name, "link"}


@pytest.mark.parametrize(
    ("module", "flags"), [(prepare, ()), (train, ()), (tune, ()), (study, ("--study=padding", "--budget=smoke"))]
)
def test_unreachable_host_leaves_no_file_and_no_folder(module, flags, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    flags = (*flags, "--dataset=cifar100", f"--data_dir={tmp_path / 'new' / 'data'}")
    assert call_here(monkeypatch, module.main, module.flags, *flags) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: cifar100 cannot be downloaded: ")
    assert not list(tmp_path.iterdir())


def test_traceback_is_there_for_those_who_ask():
    done = call("models.train", "--epochs=-1", "--verbosity=1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: epochs=-1.0")


@pytest.mark.real_data
def test_main_job_on_real_images_learns_from_fifteen_times_the_views_within_two_gib(real_data_dir, tmp_path):
    flags = ("--virtual_examples=600000", "--max_steps=20", "--num_validation=1000", "--evaluate_test")
    done = call("models.train", *flags, f"--data_dir={real_data_dir}", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert "shapes100" not in done.stdout
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["examples_evaluated"] == 10_000
    assert report["dataset"] == "cifar100"
    assert report["coarse_accuracy"] > 0.10  # chance is 0.05
    assert report["peak_rss_mib"] < 2048
