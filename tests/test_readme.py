"""README fits on a front page; the version stands in setup.py and is repeated in two files."""

import re
import subprocess
import sys

from tests.conftest import ROOT


def test_readme_is_a_front_page():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 160 and not line.startswith("|")] == []
    assert len([line for line in lines if line.startswith("|")]) <= 2 + 10  # one table of ten rows at most


def test_version_is_the_same_everywhere():
    command = [sys.executable, "setup.py", "--version"]
    version = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
    cited = re.search(r"^version: (\S+)\ndate-released: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    released = re.search(r"^## (\S+) - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited.groups() == released.groups()
    assert cited[1] == version
