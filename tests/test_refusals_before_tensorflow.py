"""What can be known without TensorFlow is refused without it: one process runs many binaries, and cannot import it."""

import json
import subprocess
import sys

from tests.conftest import ROOT

TINY = ["--dataset=shapes100_tiny", "--data_dir=unprepared"]
NOWHERE = "/proc/nowhere"  # not even root can write there
# Of each refused command: its binary, its flags, its exit code, and what the error begins with.
REFUSED = [
    ("models.train", [*TINY, "--batch_size=1501"], 2, "batch_size=1501: expected at most the 1500"),
    ("models.train", [*TINY, "--num_validation=2000"], 2, "num_validation=2000: expected fewer than the 2000"),
    ("models.train", [*TINY, "--virtual_examples=100"], 2, "virtual_examples=100: expected at least one batch"),
    ("models.train", [*TINY, "--num_validation=0", "--patience=1"], 2, "patience=1: expected --num_validation"),
    ("models.train", [*TINY, f"--run_dir={NOWHERE}"], 2, f"run_dir={NOWHERE}: cannot be written"),
    ("models.train", [*TINY, f"--profile={NOWHERE}"], 2, f"profile={NOWHERE}: cannot be written"),
    ("models.train", [*TINY, "--init_from=no_model"], 1, "init_from=no_model: model.keras"),
    ("models.train", ["--config=foreign/config.json"], 2, "data_dir=/home/alice/data: "),
    ("models.train", ["--config=written.json"], 2, "init_from=runs/alice: "),
    ("models.train", ["--dataset=shapes100_tiny", f"--data_dir={NOWHERE}"], 2, f"data_dir={NOWHERE}: cannot be"),
    ("models.train", ["--archive=none.zip", f"--data_dir={NOWHERE}"], 2, f"data_dir={NOWHERE}: cannot be written"),
    ("models.evaluate", ["--run_dir=no_model"], 1, "run_dir=no_model: model.keras"),
    ("models.evaluate", ["--run_dir=foreign", "--split=validation"], 2, "num_validation=0: nothing is held out"),
    ("models.evaluate", ["--run_dir=foreign", "--split=test"], 1, "data_dir=/home/alice/data: cifar100 is not"),
    ("models.evaluate", ["--run_dir=foreign", "--split=test", "--data_dir=here"], 1, "data_dir=here: cifar100 is not"),
    ("models.predict", ["--run_dir=no_model", "a.png"], 1, "run_dir=no_model: model.keras"),
    ("models.predict", ["--run_dir=foreign", "none.png"], 1, "run_dir=foreign: dataset.json is missing"),
    ("models.predict", ["--run_dir=foreign", "--split=test"], 1, "data_dir=/home/alice/data: cifar100 is not"),
    ("models.export", ["--run_dir=no_model"], 1, "run_dir=no_model: model.keras"),
    ("models.export", ["--run_dir=foreign", "--format=tflite"], 2, "format=tflite: expected some of"),
    ("models.export", ["--run_dir=foreign", "--data_dir=here"], 1, "data_dir=here: cifar100 is not"),
    (
        "pipeline.explore.__main__",
        [*TINY, "--out=out", "--num_validation=2000"],
        2,
        "num_validation=2000: expected",
    ),
    ("pipeline.gallery.__main__", [*TINY, f"--out={NOWHERE}/x.png"], 2, f"out={NOWHERE}/x.png: cannot be written"),
    ("pipeline.prepare", ["--dataset=tfds:no_such_set"], 2, "dataset=tfds:no_such_set: not found"),
    ("pipeline.prepare", ["--dataset=tfds:cifar10", "--download"], 2, "dataset=tfds:cifar10: --download is not for"),
    ("pipeline.prepare", [*TINY, "--download"], 2, "download=True: only --dataset=tfds:NAME reads it"),
    ("pipeline.prepare", [*TINY, "--refresh"], 2, "refresh=True: only"),
    ("tuning.tune", [*TINY, f"--session_dir={NOWHERE}"], 2, f"session_dir={NOWHERE}: cannot be written"),
    ("tuning.tune", [*TINY, "--space=few_views.py"], 2, "virtual_examples=100: expected at least one batch"),
    ("tuning.tune", [*TINY, "--space=unvalidated.py"], 2, "space=unvalidated.py: num_validation=0"),
    ("tuning.tune", [*TINY, "--serve=203.0.113.1:8700"], 2, "serve=203.0.113.1:8700: other machines"),
    ("tuning.tune", [*TINY, "--serve=203.0.113.1:8700", "--insecure"], 1, "serve=203.0.113.1:8700: cannot listen"),
    ("tuning.study", [*TINY, "--study=padding", f"--study_dir={NOWHERE}"], 2, f"study_dir={NOWHERE}: cannot be"),
    ("tuning.study", ["--study=padding", f"--data_dir={NOWHERE}"], 2, f"data_dir={NOWHERE}: cannot be written"),
    ("benchmarks.augment.__main__", [*TINY, "--batch_size=2001"], 2, "batch_size=2001: expected at most the 2000"),
    ("benchmarks.augment.__main__", [*TINY, "--sets=flop"], 2, "sets='flop': expected some of"),
    ("benchmarks.input.__main__", [*TINY, "--batch_size=1501"], 2, "batch_size=1501: expected at most the 1500"),
    ("benchmarks.memory.__main__", [*TINY, "--views=100"], 2, "views=100: expected at least one batch"),
]
FILES = {
    "foreign/config.json": {"config_format": 2, "data_dir": "/home/alice/data", "num_validation": 0},
    "foreign/report.json": {},
    "foreign/model.keras": {},
    "no_model/config.json": {"config_format": 2},
    "no_model/report.json": {},
    "written.json": {"init_from": "runs/alice"},
    "few_views.py": "BASE = {'batch_size': 101, 'virtual_examples': 100}\nspace = dict",
    "unvalidated.py": "BASE = {'num_validation': 0}\nspace = dict",
}
SCRIPT = f"""
import importlib, sys
sys.modules.update(dict.fromkeys(("keras", "tensorflow")))  # importing them is an error
from pipeline.common import app
for name, arguments, *_ in {REFUSED}:
    module = importlib.import_module(name)
    sys.argv = [name, *arguments]
    try:
        app.run(module.main, module.flags)
    except SystemExit as end:
        print("exit code", end.code, file=sys.stderr)
"""


def test_refusals_need_no_tensorflow_and_create_nothing(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    before = sorted(tmp_path.rglob("*"))
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("prepare: ")]
    for (name, flags, code, start), error, end in zip(REFUSED, lines[::2], lines[1::2], strict=True):
        assert error.startswith(f"error: {start}"), (name, flags, error)
        assert end == f"exit code {code}", (name, flags, error)
    assert sorted(tmp_path.rglob("*")) == before
