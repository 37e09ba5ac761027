"""README fits on a front page, commands of the documents have flags that exist, and the version is the same."""

import importlib
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
COMMAND = re.compile(r"python -m ((?:pipeline|models|tuning|benchmarks)[\w.]*)((?:\\\n|[^`\n#|])*)")
OF_ALL = {"help", "helpfull", "verbosity"}


def test_readme_is_a_front_page():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 160 and not line.startswith("|")] == []
    assert len([line for line in lines if line.startswith("|")]) <= 2 + 10  # one table of ten rows at most


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_flags_of_commands_exist(document):
    for module, arguments in COMMAND.findall(document.read_text(encoding="utf-8")):
        if named := set(re.findall(r"--(\w+)", arguments)) - OF_ALL:
            is_package = (ROOT / module.replace(".", "/")).is_dir()
            flags = importlib.import_module(f"{module}.__main__" if is_package else module).flags
            assert named <= set(flags.values), (module, named - set(flags.values))


def test_version_is_the_same_everywhere():
    command = [sys.executable, "setup.py", "--version"]
    version = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
    cited = re.search(r"^version: (\S+)\ndate-released: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    released = re.search(r"^## (\S+) - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited.groups() == released.groups()
    assert cited[1] == version
