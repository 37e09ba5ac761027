"""Every flag that is a path, in every binary: what it takes, what it refuses, and that none is forgotten."""

import importlib
import os
import pathlib
import pwd
import shlex
import subprocess
import sys

import absl.flags
import pytest

from models.config import saved
from models.config.training import TrainConfig
from models.runs.folder import RunFolder
from pipeline.common import app, errors, paths
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared
from pipeline.datasets.cifar import archive
from pipeline.datasets.cifar.spec import CIFAR100
from pipeline.gallery import picture_file
from tests.conftest import ROOT
from tests.import_graph import module_files
from tests.test_make_variables import environment
from tuning.sessions import search_space
from tuning.sessions.config import SessionConfig
from tuning.studies.folder import open_study

BINARIES = [
    name for name, path in module_files(ROOT).items() if "app.run(main, flags" in path.read_text(encoding="utf-8")
]
# Flags that take a text which is not a path. A new flag is one of these, or is defined as a path.
NOT_PATHS = {
    *("batch_sizes", "limits_gib", "precisions", "presets", "recipes", "sets", "sizes", "threads", "views"),
    *(
        *("corruptions", "severities", "ood"),  # --ood checks its folders itself, as paths
        *("data_service", "dispatcher", "role"),
        *("format", "host"),
        "fine_key",
        "coarse_key",
        "join",
        "objectives",
        "pick",
        "serve",
        "space",
        "study",
        "variants",
        "workers",
    ),  # --space checks its file itself, as a path
}
TAKEN = {
    "10:30/lr:0.1": "10:30/lr:0.1",  # no URL, though TensorFlow took it for one (ibab/tensorflow-wavenet#28)
    "~/x": "{home}/x",
    "~": "{home}",
    "a/../b": "a/../b",
    "./~x": "{cwd}/~x",
    "/a//b/": "/a/b",
    'o\'neil "müller" [1]*?{{}}%s@1:2$x': 'o\'neil "müller" [1]*?{{}}%s@1:2$x',
    "": "",
}
REFUSED = [  # the first one made a folder called "gs:" (blue-oil/blueoil#1121)
    *("gs://bucket/x", "s3://bucket/x", "https://host/x", "file:///x", "hdfs:/x", "GS://b", " gs://b", "ram://x"),
    *("a\nb", "a\0b", "~nobody-has-this-name/x", "n" * 300, "caf\udce9"),
]


def binary_flags(binary: str) -> app.Flags:
    return importlib.import_module(binary).flags


FLAGS = {(name, flag): binary_flags(name).values[flag] for name in BINARIES for flag in binary_flags(name).values}
PATH_FLAGS = {key: flag for key, flag in FLAGS.items() if isinstance(flag.parser, paths.PathParser)}
PATH_LIST_FLAGS = {key: flag for key, flag in FLAGS.items() if isinstance(flag.parser, paths.PathListParser)}


def test_every_flag_that_takes_a_text_is_a_path_or_known_to_be_none():
    parsers = (absl.flags.ArgumentParser, absl.flags.ListParser)
    of_text = {name for (_, name), flag in FLAGS.items() if type(flag.parser) in parsers and "one of " not in flag.help}
    assert of_text <= NOT_PATHS


def test_flags_of_all_binaries_are_tried():
    assert {"models.train", "benchmarks.show", "pipeline.explore.__main__"} <= {binary for binary, _ in FLAGS}
    assert len(PATH_FLAGS) > 40
    assert {name for _, name in PATH_LIST_FLAGS} == {"compare", "files", "run_dirs"}


@pytest.mark.parametrize(("text", "expected"), TAKEN.items())
def test_every_path_flag_takes(text, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    expected = expected.format(home="/home/me", cwd=tmp_path)
    for key, flag in PATH_FLAGS.items():
        assert flag.parser.parse(text.format()) == expected, key
    for key, flag in PATH_LIST_FLAGS.items():
        assert flag.parser.parse(text.format()) == ([expected] if expected else []), key


@pytest.mark.parametrize("text", REFUSED)
def test_every_path_flag_refuses(text):
    for flag in (*PATH_FLAGS.values(), *PATH_LIST_FLAGS.values()):
        with pytest.raises(ValueError, match="expected"):
            flag.parser.parse(text)


def test_empty_home_counts_as_unset(monkeypatch):
    monkeypatch.setenv("HOME", "")
    assert paths.local("~/x", "out") == pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir, "x")


def test_path_is_expanded_once(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("~root", "a:/b"):
        once = paths.local(f"./{name}", "out")
        assert paths.local(once, "out") == once == tmp_path / name


FIELDS = [
    (SourceConfig, "data_dir"),
    (SourceConfig, "archive"),
    (TrainConfig, "init_from"),
    (SessionConfig, "init_from"),
]
FUNCTIONS = [
    ("data_dir", lambda path: prepared.folder(path, "cifar100")),
    ("archive", lambda path: archive.read(path, CIFAR100, source="archive")),
    ("run_dir", RunFolder),
    ("config", saved.load),
    ("out", picture_file.picture_path),
    ("space", search_space.find),
    *((name, lambda path, kind=kind, name=name: kind(**{name: path})) for kind, name in FIELDS),
]


@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
@pytest.mark.parametrize("url", ["gs://bucket/x.py", "s3:/bucket/x.py", "https://host/x.py", "file:///x.py"])
def test_every_function_that_takes_a_path_refuses_a_url(name, function, url):
    with pytest.raises(errors.BadArgumentError, match=rf"^{name}={url}: .*URL"):
        function(url)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_field_that_is_a_path_takes_one_of_pathlib_and_its_default_for_none(kind, name, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert getattr(kind(**{name: pathlib.Path("~/x")}), name) == "/home/me/x"
    assert getattr(kind(**{name: ""}), name) == getattr(kind(), name)


@pytest.mark.parametrize("target", ["train", "bench", "gallery"])
@pytest.mark.parametrize("path", ["/a b/o'neil's \"mü\" [1]*?{}%s;&|$x`id`#\\", "~/x", "gs://bucket/x", ""])
def test_make_hands_on_every_path_as_it_is(target, path, tmp_path):
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(f"#!/bin/sh\necho shapes100\nfor argument; do printf '%s\\n' \"$argument\" >>{log}; done\n")
    python.chmod(0o755)
    variables = dict.fromkeys(("ARCHIVE", "DATA_DIR", "RUN_DIR"), path)
    arguments = ["make", f"--file={ROOT / 'Makefile'}", "--old-file=.venv/.installed", target, f"PYTHON={python}"]
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    arguments += [f"{name}={text}" for name, text in variables.items()]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = log.read_text(encoding="utf-8").splitlines()
    assert {f"--data_dir={path}", f"--archive={path}"} <= set(lines)
    if target == "train":
        assert f"--run_dir={path}" in lines


@pytest.mark.parametrize("kind", ["file", "link to nowhere", "loop", "below a file"])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("data_dir", lambda path: prepared.folder(path, "cifar100")),
        ("run_dir", lambda path: RunFolder(path).check_identity({})),
        ("study_dir", lambda path: open_study(path, "", "", []).__enter__()),
        ("out", lambda path: picture_file.picture_path(path / "x.png")),
    ],
)
def test_what_is_no_folder_is_one_line(name, function, kind, tmp_path):
    path = tmp_path / "x"
    if "file" in kind:
        path.touch()
        path = path / "deeper" / "x" if kind == "below a file" else path
    else:
        path.symlink_to("x" if kind == "loop" else "nowhere")
    with pytest.raises(errors.BadArgumentError, match=rf"^{name}={path}"):
        function(path)


def test_removed_working_folder_is_one_line(tmp_path):
    command = [sys.executable, "-m", "models.train", "--run_dir=x"]
    script = f"mkdir gone; cd gone; rmdir ../gone; exec {shlex.join(command)}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: working folder: ")
