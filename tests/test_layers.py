"""The flow of data is the direction of imports; no binary loads TensorFlow before it has work."""

import ast
import pathlib
import subprocess
import sys

import pytest

from tests.conftest import ROOT

ALLOWED = {
    "pipeline": set(),
    "models": {"pipeline"},
    "tuning": {"pipeline", "models"},
    "benchmarks": {"pipeline", "models", "tuning"},
}
BINARIES = (
    "pipeline.prepare",
    "pipeline.gallery",
    "pipeline.explore",
    "models.train",
    "models.evaluate",
    "tuning.study",
    "tuning.tune",
    "benchmarks.accuracy",
    "benchmarks.augment",
    "benchmarks.train_step",
    "benchmarks.shapes100",
    "benchmarks.publish.accuracy_cost",
    "benchmarks.startup",
    "benchmarks.bench",
    "benchmarks.publish.results_page",
    "benchmarks.input",
    "benchmarks.memory",
    "benchmarks.scaling",
    "benchmarks.tuner",
    "benchmarks.tuner_kills",
    "benchmarks.show",
    "benchmarks.publish.readme_tables",
)


def imported(path: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_layers(path: pathlib.Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)} & (ALLOWED.keys() | {"tests"})


def defines_flags(path: pathlib.Path) -> bool:
    return any(
        isinstance(node, ast.Call) and "flags" in ast.unparse(node.func) and "define" in ast.unparse(node.func).lower()
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if not isinstance(statement, ast.FunctionDef)
        for node in ast.walk(statement)
    )


@pytest.mark.parametrize("layer", ALLOWED)
def test_layer_imports_only_what_lies_before_it(layer):
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    for path in files:
        assert imported_layers(path) <= ALLOWED[layer] | {layer}, path


def test_import_against_the_flow_is_seen(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("def later():\n    from models import training\n")
    assert imported_layers(path) == {"models"}


@pytest.mark.parametrize("binary", BINARIES)
def test_importing_a_binary_loads_no_tensorflow(binary):
    path = ROOT / binary.replace(".", "/") / "__main__.py"
    module = f"{binary}.__main__" if path.exists() else binary  # importing the package alone would load __init__.py
    code = f"import sys, {module}; sys.exit(bool({{'tensorflow', 'keras'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_two_tests_can_quarrel_over_a_flag():
    """Flags are of the whole process: a binary that defines some is only ever started, never imported by tests."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.glob("*/**/*.py")}
    with_flags = {name for name, path in modules.items() if name.split(".")[0] in ALLOWED and defines_flags(path)}
    assert {"models.train", "benchmarks.input.__main__", "benchmarks.publish.results_page"} <= with_flags
    for path in sorted((ROOT / "tests").rglob("*.py")):
        assert not imported(path) & with_flags, path
