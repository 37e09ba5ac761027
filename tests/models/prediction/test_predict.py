"""`models.predict`, on files and on splits: the predictions are those that `models.evaluate` counts."""

import csv
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from models import predict
from models.prediction import loading, stream
from models.prediction.predictor import Predictor
from models.runs.folder import RunFolder
from models.training.evaluation import evaluate_run
from pipeline.datasets import resizing
from tests.binaries import call_here, call_signalled_at_import, command
from tests.conftest import ROOT
from tests.pipeline.datasets import image_files
from tests.prepared_copies import with_other_records


class Call:
    """Calls `models.predict` in this process: its exit code, and what it printed."""

    def __init__(self, monkeypatch, capsys) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = call_here(self._monkeypatch, predict.main, predict.flags, *map(str, arguments))
        return (code, *self._capsys.readouterr())

    def rows(self, *arguments: object, stdin: bytes = b"") -> list[dict]:
        """The rows of a call that succeeds."""
        code, out, err = self("--format=jsonl", *arguments, stdin=stdin)
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def errors(self, *arguments: object) -> str:
        """What a call that succeeds prints on stderr."""
        code, _, err = self(*arguments)
        assert code == 0, err
        return err


@pytest.fixture
def call(monkeypatch, capsys) -> Call:
    return Call(monkeypatch, capsys)


@pytest.fixture
def home(tmp_path, monkeypatch) -> pathlib.Path:
    """A working folder with an image and a file that is none."""
    monkeypatch.chdir(tmp_path)
    PIL.Image.effect_noise((50, 40), 80).save("noise.jpg")
    pathlib.Path("text.png").write_text("text")
    return tmp_path


def share_right(rows: list[dict], truth: list[str], key: str) -> float:
    labels = [row["top"][0]["label"] if key == "top" else row["coarse"]["label"] for row in rows]
    return sum(label == name for label, name in zip(labels, truth, strict=True)) / len(truth)


@pytest.mark.parametrize("name", ["trained", "summed"])
def test_files_of_the_test_split_give_the_accuracy_of_evaluate(name, request, call, test_files, tmp_path):
    run = RunFolder(shutil.copytree(request.getfixturevalue(name), tmp_path / "run"))
    classes = run.description().classes
    rows = call.rows(f"--run_dir={run.path}", "--top=1", "-", stdin="\n".join(map(str, test_files)).encode())
    assert [row["path"] for row in rows] == list(map(str, test_files))
    fine, coarse = zip(*test_files.values(), strict=True)
    found = {
        "fine_accuracy": share_right(rows, [classes.fine[n] for n in fine], "top"),
        "coarse_accuracy": share_right(rows, [classes.coarse[n] for n in coarse], "coarse"),
    }
    split = call.rows(f"--run_dir={run.path}", "--split=test", "--top=1")
    assert [row["top"] for row in split] == [row["top"] for row in rows]
    assert [row["path"] for row in split] == [f"test:{n}" for n in range(len(rows))]
    for accuracy, key in (("fine_accuracy", "is_fine_right"), ("coarse_accuracy", "is_coarse_right")):
        assert found[accuracy] == np.mean([row[key] for row in split])
    report = evaluate_run(run, "test")
    assert 0.01 < report["fine_accuracy"] < 1
    assert found["fine_accuracy"] == report["fine_accuracy"]
    if name == "trained":
        assert found["coarse_accuracy"] == report["coarse_accuracy"]
    else:  # the superclass is that of the temperature, and so is the risk of answering every image
        measured = run.evaluated("calibration")["splits"]["test"]["answers"]["coarse_from_fine"]["after"]
        assert found["coarse_accuracy"] == pytest.approx(1 - measured["risk_coverage"][-1][1], abs=1e-6)
        assert found["coarse_accuracy"] != report["coarse_from_fine_accuracy"]


def test_split_of_other_records_is_predicted_with_a_warning(trained, call, tiny_data_dir, tmp_path):
    data_dir = with_other_records(tiny_data_dir, tmp_path / "data")
    flags = (f"--run_dir={trained}", "--split=test", "--top=1")
    assert "records" not in call.errors(*flags)
    (warning,) = [line for line in call.errors(*flags, f"--data_dir={data_dir}").splitlines() if "warning" in line]
    assert warning.startswith(f"warning: data_dir={data_dir}: shapes100_tiny has OTHER records")


def test_split_of_other_classes_is_refused(trained, call, tmp_path):
    run_dir = shutil.copytree(trained, tmp_path / "run")
    description = json.loads((run_dir / "dataset.json").read_text())
    description["classes"]["fine"][0] = "another"
    (run_dir / "dataset.json").write_text(json.dumps(description))
    code, out, err = call(f"--run_dir={run_dir}", "--split=test")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(f"^error: data_dir=.*: shapes100_tiny has other classes .*run_dir={run_dir} ", err)


def test_probabilities_are_those_of_the_temperatures(trained, summed, call, test_files):
    path = next(iter(test_files))
    (plain,) = call.rows(f"--run_dir={trained}", "--top=1000", path)
    (warm,) = call.rows(f"--run_dir={summed}", "--top=1000", path)
    assert len(plain["top"]) == len(warm["top"]) == 100
    expected = {answer["label"]: answer["probability"] ** 0.5 for answer in plain["top"]}
    expected = {label: value / sum(expected.values()) for label, value in expected.items()}
    assert {answer["label"]: answer["probability"] for answer in warm["top"]} == pytest.approx(expected, rel=1e-4)
    assert sum(answer["probability"] for answer in plain["top"]) == pytest.approx(1, abs=1e-4)


def test_run_without_temperatures_says_how_they_are_fitted(trained, summed, call, home):
    printed = call.errors(f"--run_dir={trained}", "noise.jpg")
    assert re.search(r"not calibrated.*models\.evaluate --run_dir=.*--split=validation", printed)
    assert "calibrated" not in call.errors(f"--run_dir={summed}", "noise.jpg")


def test_odd_files_are_predicted_and_others_have_a_reason(trained, call, tmp_path):
    for number, used in enumerate(image_files.USED.values()):
        (tmp_path / f"used_{number}").write_bytes(used.file)
    for number, refused in enumerate(image_files.REFUSED.values()):
        (tmp_path / f"refused_{number}").write_bytes(refused.file)
    files = [*tmp_path.iterdir(), tmp_path / "gone.png"]
    code, out, err = call(f"--run_dir={trained}", "--format=jsonl", *files)
    rows = {pathlib.Path(row["path"]).name: row for row in map(json.loads, out.splitlines())}
    assert code == 1
    assert err.splitlines()[-1].startswith(f"error: {len(image_files.REFUSED) + 1} of {len(files)} files")
    assert "No such file" in rows["gone.png"]["error"]
    for number, refused in enumerate(image_files.REFUSED.values()):
        assert refused.reason in rows[f"refused_{number}"]["error"]
    assert {name for name, row in rows.items() if "top" in row} == {f"used_{n}" for n in range(len(image_files.USED))}


def test_images_of_any_size_are_resized_as_prepare_does(trained, call, noise, tmp_path):
    PIL.Image.fromarray(noise).save(tmp_path / "large.png")
    PIL.Image.fromarray(resizing.resize(noise, 32)).save(tmp_path / "resized.png")
    large, resized = call.rows(f"--run_dir={trained}", tmp_path)
    assert large["top"] == resized["top"]


def test_network_of_a_crop_gets_the_central_part(trained, noise, tmp_path):
    run_dir = shutil.copytree(trained, tmp_path / "run")
    config = json.loads((run_dir / "config.json").read_text())
    (run_dir / "config.json").write_text(json.dumps({**config, "crop_size": 21}))
    predictor = Predictor(RunFolder(run_dir), 1)
    assert (predictor.image_size, predictor.input_size) == (32, 21)
    np.testing.assert_array_equal(predictor.prepare(noise), resizing.resize(noise, 32)[5:26, 5:26])


def test_rows_of_every_format_go_to_a_file_too(trained, call, home):
    arguments = (f"--run_dir={trained}", "--top=2", "noise.jpg", "text.png")
    for name in ("table", "jsonl", "csv"):
        code, out, _ = call(*arguments, f"--format={name}")
        assert (code, out.count("\n")) == (1, {"table": 4, "jsonl": 2, "csv": 3}[name])
        code, nothing, _ = call(*arguments, f"--format={name}", f"--out=new/{name}")
        assert (code, nothing) == (1, "")
        assert (home / "new" / name).read_bytes().decode() == out
    row, error = csv.DictReader(io.StringIO((home / "new" / "csv").read_bytes().decode(), newline=""))
    assert (row["path"], error["path"], error["label_1"]) == ("noise.jpg", "text.png", "")
    assert "not an image" in error["error"]
    assert len(list((home / "new").iterdir())) == 3


def test_names_of_any_bytes_stay(trained, call, home):
    name = os.fsdecode(b"-caf\xe9 \n=1.png")
    shutil.copy("noise.jpg", name)
    (row,) = call.rows(f"--run_dir={trained}", "--", name)
    assert row["path"] == name
    assert call(f"--run_dir={trained}", "--format=csv", "--out=rows.csv", "--", name)[0] == 0
    assert os.fsencode(name) in (home / "rows.csv").read_bytes()


def test_one_image_and_many_have_equal_rows(trained, call, test_files):
    paths = list(test_files)[:70]
    together = call.rows(f"--run_dir={trained}", *paths)
    (alone,) = call.rows(f"--run_dir={trained}", paths[66])
    assert alone["top"][0]["label"] == together[66]["top"][0]["label"]
    assert alone["top"][0]["probability"] == pytest.approx(together[66]["top"][0]["probability"], rel=1e-4)


def test_a_stream_keeps_few_images_and_traces_one_graph(trained, test_files, monkeypatch):
    predictor = Predictor(RunFolder(trained), 20)
    under_way, most = 0, 0

    def count(predictor: Predictor, paths: list[str]) -> list[loading.Loaded]:
        nonlocal under_way, most
        under_way += len(paths)
        most = max(most, under_way)
        return load(predictor, paths)

    load = loading.load
    monkeypatch.setattr(loading, "load", count)
    for batch in stream.of_files(predictor, [str(path) for path in test_files] * 3, 1):
        num_taken = len(list(batch))
        under_way -= num_taken
    assert under_way == 0
    assert most <= 20 + 20 + (2 * os.cpu_count() + 1) * loading.CHUNK
    assert predictor.call.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["noise.jpg"], 2, "run_dir is missing"),
        (["--run_dir=RUN"], 2, "expected images"),
        (["--run_dir=RUN", "--split=test", "noise.jpg"], 2, "split=test: expected no files"),
        (["--run_dir=RUN", "--data_dir=d", "noise.jpg"], 2, "data_dir=d: nothing reads it without --split"),
        (["--run_dir=RUN", "--top=0", "noise.jpg"], 2, "top=0: "),
        (["--run_dir=RUN", "--split=train"], 2, "split=train: "),
        (["--run_dir=RUN", "none.png", "z*"], 2, "no image found in none.png z*"),
        (["--run_dir=RUN", "--out=.", "noise.jpg"], 2, "out=.: cannot be written (expected a file, got a folder)"),
        (["--run_dir=RUN", "--out=/dev/null", "noise.jpg"], 2, "out=/dev/null: cannot be written (expected a file"),
        (["--run_dir=RUN", "--out=noise.jpg", "text.png"], 2, "out=noise.jpg: is an image"),
        (["--run_dir=RUN", "--out=RUN/model.keras", "noise.jpg"], 2, "out="),
        (["--run_dir=RUN", "--explain=text.png", "noise.jpg"], 2, "explain=text.png: expected a folder"),
        (["--run_dir=.", "noise.jpg"], 2, "run_dir=.: expected a folder that models.train wrote"),
    ],
)
def test_wrong_arguments_are_one_line(trained, call, home, arguments, code, error, monkeypatch):
    monkeypatch.setattr("pipeline.common.app.load_tensorflow", lambda: pytest.fail("too late"))
    there = sorted(home.iterdir())
    found, out, err = call(*(argument.replace("RUN", str(trained)) for argument in arguments))
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"error: {error}")
    assert sorted(home.iterdir()) == there


def test_reader_that_has_seen_enough_ends_the_work(trained, test_files):
    arguments = (f"--run_dir={trained}", "--format=jsonl", *[next(iter(test_files)).parent] * 40)
    with subprocess.Popen(
        command("models.predict", *map(str, arguments)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().startswith(b'{"path"')
        process.stdout.close()
        _, err = process.communicate()
    assert process.returncode == 1
    assert b"error" not in err


def test_signal_ends_with_three_and_no_file(trained, home):
    flags = (f"--run_dir={trained}", f"--out={home}/rows.csv", f"{home}/noise.jpg")
    done = call_signalled_at_import(signal.SIGINT, "models.prediction.job", "models.predict", *flags)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: interrupted")
    assert not (home / "rows.csv").exists()
