"""Imports point against the flow of data and form no cycle; no binary loads TensorFlow before it has work."""

import collections
import pathlib
import subprocess
import sys

import pytest

from tests.conftest import LONG, ROOT
from tests.import_graph import LAYERS, cycles, import_graph, imports, module_files, unit

# The import order inside each folder: a unit imports units of the levels before its own, none of its own level.
ORDER = {
    "pipeline": (
        ("common",),
        ("",),  # __init__.py, which every binary imports before slower modules
        ("address", "augment", "datasets", "resolution"),
        ("data_config",),
        ("device_examples", "epochs", "source"),
        ("contents",),
        ("disk_cache", "memory_cache", "own_images", "split"),
        ("stages",),
        ("shuffling",),
        ("data_service", "prepare"),
        ("batches",),
        ("gallery",),
        ("explore",),
    ),
    "models": (
        ("runtime",),
        ("layers", "optimizers"),
        ("architectures",),
        ("config",),  # composed of the classes of fields that stand beside the networks and optimizers
        ("heads",),
        ("metrics", "trunk"),
        ("classifier",),
        ("runs",),
        ("reporting",),
        ("training",),
        ("prediction",),
        ("exporting",),
        ("serving",),
        ("train", "evaluate", "export", "predict", "report", "serve"),
    ),
    "tuning": (("statistics",), ("workers",), ("studies",), ("sessions",), ("study", "tune")),
    "benchmarks": (
        ("harness",),
        (
            *("augment", "input", "memory", "predict", "prepare", "profile", "replicas", "robustness"),
            *("scaling", "shapes100", "startup", "train_step", "tuner"),
        ),
        ("accuracy", "bench", "gpu", "show"),
        ("publish",),
    ),
}
BINARIES = [
    module for module, path in module_files(ROOT).items() if 'if __name__ == "__main__":' in path.read_text("utf-8")
]


def upward_imports(root: pathlib.Path) -> set[tuple[str, str]]:
    """Return the (importer, imported) pairs that point to a later folder, or inside one to no earlier level."""
    rank = {(layer, ""): (number, 0) for number, layer in enumerate(LAYERS)}  # a folder's __init__.py
    rank |= {
        (layer, name): (number, level)
        for number, layer in enumerate(LAYERS)
        for level, names in enumerate(ORDER[layer], 1)
        for name in names
    }

    def rank_of(module: str) -> tuple[int, int]:
        return rank[module.split(".")[0], unit(module)]

    return {
        (importer, imported)
        for importer, names in import_graph(root).items()
        for imported in names
        if importer.split(".")[:2] != imported.split(".")[:2] and rank_of(imported) >= rank_of(importer)
    }


def write(root: pathlib.Path, modules: dict[str, str]) -> None:
    for name, text in modules.items():
        path = root / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("layer", LAYERS)
def test_order_names_every_module_and_sub_package(layer):
    units = {unit(module) for module in module_files(ROOT, [layer])} - {""}
    named = [name for level in ORDER[layer] for name in level if name]
    assert sorted(named) == sorted(units), "name a new module or sub-package in ORDER, at its level"


def test_no_import_points_upward():
    assert upward_imports(ROOT) == set()


def test_no_folder_has_more_than_sixteen_modules():
    folders = collections.Counter(path.parent for path in module_files(ROOT).values() if path.stem != "__init__")
    assert {folder: count for folder, count in folders.items() if count > 16} == {}


def test_no_code_imports_the_tests():
    for path in module_files(ROOT).values():
        assert not {name for name in imports(path) if name.split(".")[0] == "tests"}, path


def test_no_modules_import_one_another_in_a_circle():
    assert cycles(import_graph(ROOT)) == []


@pytest.mark.parametrize(
    ("importer", "line", "imported"),
    [
        ("pipeline.common.errors", "from pipeline import source", "pipeline.source"),
        ("models.runs.folder", "import models.training.loop", "models.training.loop"),
        ("models.trunk", "from models.training.loop import train", "models.training.loop"),
        ("models.runtime.device", "def later():\n    from models.layers import x", "models.layers"),
        ("pipeline.batches", "if TYPE_CHECKING:\n    from models.training import loop", "models.training.loop"),
        ("tuning.workers.pool", "from ..studies import runner", "tuning.studies.runner"),
        ("benchmarks.harness.timing", "from benchmarks.input import cases", "benchmarks.input.cases"),
    ],
)
def test_upward_import_is_reported(tmp_path, importer, line, imported):
    right = {
        "pipeline.source": "from pipeline.common import errors",
        "models.layers.__init__": "from pipeline import source",
        "models.training.loop": "from models.layers import x\nfrom pipeline import source",
        "tuning.studies.runner": "from tuning.workers import pool\nfrom tuning import statistics",
        "benchmarks.input.cases": "import models.training.loop",
    }
    write(tmp_path, right)
    assert upward_imports(tmp_path) == set()
    write(tmp_path, {importer: line})
    assert upward_imports(tmp_path) == {(importer, imported)}


@pytest.mark.parametrize(
    "back",
    [
        "from models.trunk import build",
        "from models import trunk",
        "import models.trunk",
        "from .trunk import build",
        "def later():\n    from models import trunk",
        "if TYPE_CHECKING:\n    from models import trunk",
    ],
)
def test_import_cycle_is_reported(tmp_path, back):
    write(tmp_path, {"models.trunk": "from models.layers import dense", "models.layers.dense": "import models.heads"})
    assert cycles(import_graph(tmp_path)) == []
    write(tmp_path, {"models.heads": back})
    assert cycles(import_graph(tmp_path)) == [["models.heads", "models.layers.dense", "models.trunk"]]


def test_binaries_are_seen():
    assert {"pipeline.prepare", "models.train", "tuning.tune", "benchmarks.startup.__main__"} <= set(BINARIES)


@pytest.mark.parametrize("binary", BINARIES)
def test_importing_a_binary_loads_no_tensorflow(binary):
    code = f"import sys, {binary}; sys.exit(bool({{'tensorflow', 'keras'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_name_in_long_is_a_file_or_folder_of_tests():
    assert [name for name in LONG if not (ROOT / "tests" / name).exists()] == []
