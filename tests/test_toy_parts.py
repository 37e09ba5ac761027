"""Each kind of part is one new file, one entry in a table, or both: added to a copy of the code, it trains.

Nothing is patched in memory: every command below runs in a process of the copy.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.import_graph import LAYERS

ARCHITECTURE = '''
"""A network for a test."""

import dataclasses

from models.architectures.fields import Network
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import setting


@dataclasses.dataclass(frozen=True)
class Toy(Network):
    """Fields of toy."""

    toy_units: int = setting(3, "units of the dense layer", low=1)


def toy(images: Tensor, config: Toy, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, H, W, 3] -> features [B, `toy_units`]."""
    return keras.layers.Dense(config.toy_units)(keras.layers.GlobalAveragePooling2D()(images))
'''
TRANSFORM = '''
"""A transform for a test."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, per_image


@keras.saving.register_keras_serializable(PACKAGE)
class Negative(Augmentation):
    """Light for dark, with probability one half."""

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are inverted."""
        return chosen(seed, views.count, 0.5)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Invert the images whose `drawn` is True."""
        return tf.where(per_image(drawn), 255.0 - images, images)

    def describe(self, drawn: Any) -> str:
        """Whether it is inverted."""
        return "inverted" if drawn else "as it is"
'''
SPACE = """
BASE = {"preset": "toy"}


def space(hp):
    return {"toy_units": hp.Choice("toy_units", [2, 4])}
"""
# The line that opens a table, and the entry that follows it.
ENTRIES = {
    "models/architectures/__init__.py": ("BUILDERS:", '"toy": Architecture("toy:toy", "toy:Toy"),'),
    "pipeline/augment/sets.py": ("SETS:", '"toy": lambda: (augment.HorizontalFlip(), augment.Negative()),'),
    "models/optimizers/config.py": ("OPTIMIZERS:", '"toy": _keras("Lion"),'),
    "models/config/presets.py": (
        "PRESETS:",
        '"toy": {"architecture": "toy", "augmentation": "toy", "optimizer": "toy", "max_steps": 2, "batch_size": 50, '
        '"num_validation": 500, "learning_rate": 1e-3, "precision": "float32"},',
    ),
    "tuning/studies/catalogue/presets.py": (
        "STUDIES = (",
        'Study(name="toy", question="Is a wider toy better?", base={"preset": "toy"}, reference="narrow", '
        'budgets={"smoke": {}, "short": {}, "full": {}}, repeats={"smoke": 1, "short": 1, "full": 1}, '
        'variants=(Variant("narrow"), Variant("wide", {"toy_units": 5}))),',
    ),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> pathlib.Path:
    """A copy of the code with a part of each kind: three new files, and one new line in each of five tables."""
    tree = tmp_path_factory.mktemp("tree")
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, tree / layer, ignore=shutil.ignore_patterns("__pycache__", "results"))
    (tree / "models/architectures/toy.py").write_text(ARCHITECTURE)
    (tree / "pipeline/augment/negative.py").write_text(TRANSFORM)
    (tree / "toy_space.py").write_text(SPACE)
    for name, (opening, entry) in ENTRIES.items():
        lines = (tree / name).read_text().splitlines()
        (place,) = [number for number, line in enumerate(lines, 1) if line.startswith(opening)]
        (tree / name).write_text("\n".join([*lines[:place], entry, *lines[place:]]) + "\n")
    return tree


def python(tree: pathlib.Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Runs two binaries one after the other, which saves one start of TensorFlow.
TRAIN_AND_TUNE = """
import json, sys
from models import train
from tuning import tune

for binary, flags in zip((train, tune), sys.argv[1:], strict=True):
    sys.argv = [binary.__name__, *json.loads(flags)]
    try:
        binary.run()
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.fixture(scope="module")
def results(tree, tiny_data_dir, tmp_path_factory) -> pathlib.Path:
    """The folder of a run and of a tuner session."""
    folder = tmp_path_factory.mktemp("results")
    data = ["--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}"]
    run = [*data, "--preset=toy", "--toy_units=7", f"--run_dir={folder / 'run'}"]
    search = [*data, "--space=toy_space.py", "--tuner=grid", "--max_trials=1", "--max_epochs=1"]
    search.append(f"--session_dir={folder / 'session'}")
    python(tree, "-c", TRAIN_AND_TUNE, json.dumps(run), json.dumps(search))
    return folder


def test_toy_preset_trains_two_steps(results):
    report = json.loads((results / "run" / "report.json").read_text())
    assert (report["steps"], report["num_parameters"]) == (2, (3 + 1) * 7 + (7 + 1) * (100 + 20))
    config = json.loads((results / "run" / "config.json").read_text())
    names = ("architecture", "augmentation", "optimizer", "preset")
    assert {name: config[name] for name in names} == dict.fromkeys(names, "toy")
    assert config["toy_units"] == 7


def test_help_names_the_toy_and_what_reads_its_field(tree):
    text = python(tree, "-m", "models.train", "--help").partition("--toy_units=3")[2]
    assert "--architecture=toy" in "".join(text.splitlines()[:3])


def test_toy_study_trains_its_variants(tree, tiny_data_dir, tmp_path):
    data = ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}")
    size = ("--study=toy", "--budget=smoke", "--workers=1")
    python(tree, "-m", "tuning.study", *size, *data, f"--study_dir={tmp_path / 'study'}")
    report = json.loads((tmp_path / "study" / "report.json").read_text())
    assert [row["name"] for row in report["variants"]] == ["narrow", "wide"]


def test_toy_space_is_searched(results):
    report = json.loads((results / "session" / "report.json").read_text())
    assert [trial["status"] for trial in report["trials"]] == ["COMPLETED"]
