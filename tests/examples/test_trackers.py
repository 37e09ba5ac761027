"""The examples of trackers against the real packages, without a network where the machine can take it away.

They run in a process of their own: the packages start threads and processes, and set variables of the environment.
"""

import importlib.util
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SECRET = "a-secret-of-the-environment"


def run_example(name: str, folder, data_dir: str, read: str) -> list:
    """Run an example on a linear model for two epochs; what the code `read` prints as JSON, of its `result`."""
    call = f"{name}.main({str(folder)!r}, preset='linear', epochs=2.0, data_dir={data_dir!r})"
    code = f"import json, {name}\nresult = {call}\n{read}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), str(ROOT), *sys.path])}
    environment |= {"MY_SECRET": SECRET}
    command = [*without_network(), sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    return json.loads(done.stdout.splitlines()[-1])


def without_network() -> list[str]:
    """The beginning of a command that runs without network interfaces; empty where this user may not do that."""
    command = ["unshare", "--map-root-user", "--net"]
    if not shutil.which(command[0]):
        return []
    return [] if subprocess.run([*command, "true"], capture_output=True, check=False).returncode else command


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not importlib.util.find_spec(package), reason=f"{package} is in the extra `trackers`")


@needs("mlflow")
def test_mlflow_records_every_epoch_in_local_files(tiny_data_dir, tmp_path):
    run_id = run_example("track_with_mlflow", tmp_path, tiny_data_dir, "print(json.dumps(result))")
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        select = "select key, step, value from metrics where run_uuid = ?"
        metrics = {(key, step): value for key, step, value in database.execute(select, [run_id])}
        parameters = dict(database.execute("select key, value from params where run_uuid = ?", [run_id]))
        tags = dict(database.execute("select key, value from tags where run_uuid = ?", [run_id]))
        about = database.execute("select user_id, source_name, source_version from runs").fetchall()
    database.close()
    artifacts = tmp_path / "mlflow-artifacts" / run_id / "artifacts"
    report = json.loads((artifacts / "report.json").read_text())
    assert {("loss", 0), ("loss", 1), ("val_fine_accuracy", 0), ("learning_rate", 1)} < metrics.keys()
    assert metrics["val_fine_accuracy", 1] == pytest.approx(report["fine_accuracy"])
    assert (parameters["preset"], parameters["data_dir"]) == ("linear", "")
    assert parameters["opt_name"]
    assert {value for key, value in tags.items() if key.startswith(("mlflow.user", "mlflow.source."))} <= {"", "LOCAL"}
    assert not any(about[0])
    assert (artifacts / "model_summary.txt").stat().st_size > 100
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "mlflow-artifacts"}


@needs("wandb")
def test_wandb_records_every_epoch_offline(tiny_data_dir, tmp_path):
    recorded = run_example("track_with_wandb", tmp_path, tiny_data_dir, "print(json.dumps(str(result)))")
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert str(file.parent) == recorded
    content = file.read_bytes()
    for name in (b"loss", b"learning_rate"):  # in Protocol Buffers: a name, the tag and the length of a text, a number
        values = re.findall(rb"epoch/%s\x82\x01.([\d.e-]+)" % name, content, re.DOTALL)
        assert len(set(values)) == 2, (name, values)
    assert b"linear" in content
    assert not [text for text in (tiny_data_dir, sys.executable, str(ROOT)) if text.encode() in content]
    assert {path.name for path in tmp_path.iterdir()} == {"wandb"}
