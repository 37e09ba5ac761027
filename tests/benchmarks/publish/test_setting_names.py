"""The command that draws docs/settings.md from the installed packages."""

import pytest

from benchmarks.publish import setting_names
from pipeline.common import errors
from pipeline.common.process import environment
from tests.binaries import call

MODULE = """
import os
from os import environ
NAME = "BY_CONSTANT"
a, b, c = os.environ["BY_ITEM"], os.environ.get("BY_GET", "0"), os.getenv("BY_GETENV")
d, e = environ[NAME], "BY_TEST" in environ
f = environ.pop("BY_POP") or os.environ[NAME + "computed"]
g = _config.get("a_key")
h = other.get("no variable"), "no variable" in other
"""


def test_names_are_read_in_each_way():
    assert sorted(setting_names.names_read(MODULE)) == [
        *("BY_CONSTANT", "BY_GET", "BY_GETENV", "BY_ITEM", "BY_POP", "BY_TEST", "keras.json: a_key"),
    ]


@pytest.fixture
def newer_package(tmp_path, monkeypatch):
    package = tmp_path / "newer_keras"
    (package / "src").mkdir(parents=True)
    (package / "tests").mkdir()
    (package / "__init__.py").write_text("")
    (package / "src" / "config.py").write_text("import os\nos.environ['NEW_NAME'], os.environ['KERAS_HOME']\n")
    (package / "tests" / "config.py").write_text("import os\nos.environ['OF_A_TEST']\n")
    monkeypatch.syspath_prepend(tmp_path)
    return package.name


def test_new_name_of_a_package_is_told(newer_package):
    readers = setting_names.settings_read((newer_package,))
    assert readers == {"NEW_NAME": "newer_keras", "KERAS_HOME": "newer_keras"}
    with pytest.raises(errors.FailedError, match=r"^NEW_NAME \(newer_keras\): expected in FOLLOWED"):
        setting_names.page(readers)


def test_name_that_the_encoding_does_not_have_is_printed_escaped(tmp_path, monkeypatch):
    """keras-team/keras#19386 and keras-team/autokeras#195: UnicodeEncodeError by print ends the program."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = call("benchmarks.publish.settings", f"--out={tmp_path}/new/Ünlü.md")
    assert (done.returncode, done.stdout) == (0, f"written: {tmp_path}/new/\\xdcnl\\xfc.md\n"), done.stderr
    assert (tmp_path / "new" / "Ünlü.md").exists()


def test_no_setting_has_two_effects():
    names = [*setting_names.NO_EFFECT, *environment.REMOVED, *environment.FOLLOWED]
    names += environment.REFUSED
    assert len(names) == len(set(names)) == len(setting_names.effects()) - len(setting_names.KERAS_JSON_KEYS)
