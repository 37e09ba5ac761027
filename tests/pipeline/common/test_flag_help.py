"""`--help` lists flags in the order of their definition, by section, and wraps lines between words."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

BINARY = """
import sys
sys.argv = ["program", "--help"]
from pipeline.common import app
from pipeline.data_config import SourceConfig

flags = app.Flags(*([SourceConfig] if {with_config} else []))
if {with_flags}:
    flags.DEFINE_string("zebra", "", "defined first")
    flags.DEFINE_enum("animal", "cat", ["cat", "dog"], "which one")
    flags.DEFINE_bool("fast", True, "hurry")
    flags.DEFINE_integer("count", None, "how many " + "very-long-hyphened-words " * 6)
app.run(lambda: None, flags)
"""


def help_of(*, with_config: bool, with_flags: bool) -> list[str]:
    code = BINARY.format(with_config=with_config, with_flags=with_flags)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_flags_of_the_binary_are_in_the_order_of_their_definition():
    lines = help_of(with_config=False, with_flags=True)
    begin = lines.index("Flags:")
    usage = [line for line in lines[begin:] if line.startswith("  --")]
    assert usage == ["  --zebra=", "  --animal=cat", "  --[no]fast  (default true)", "  --count="]
    assert lines[lines.index("  --animal=cat") + 1] == "      which one (one of cat, dog)"
    assert lines[lines.index("  --zebra=") + 1] == "      defined first"


def test_fields_are_listed_under_their_configuration():
    done = subprocess.run(
        [sys.executable, "-m", "models.train", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    headings = {"--run_dir=": "Flags:"}
    headings |= dict.fromkeys(("--batch_size=256", "--dataset=cifar100"), "Data:")
    headings |= {"--optimizer=sgd": "Optimizer:", "--depth=28": "Network:"}
    headings |= {"--heads=both": "Heads:", "--epochs=5.0": "Training:"}
    for usage, heading in headings.items():
        before = lines[: lines.index(f"  {usage}")]
        assert next(line for line in reversed(before) if line and not line.startswith(" ")) == heading


def test_help_is_wrapped_between_words():
    lines = help_of(with_config=False, with_flags=True)
    words = " ".join(lines[lines.index("  --count=") + 1 :]).split()
    assert words[:8] == ["how", "many", *["very-long-hyphened-words"] * 6]
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("with_flags", [False, True])
def test_flags_of_a_configuration_are_listed_under_its_title(with_flags):
    lines = help_of(with_config=True, with_flags=with_flags)
    begin = lines.index("Data:")
    assert ("Flags:" in lines[:begin]) == with_flags
    assert lines[begin - 1] == ""
    assert lines[begin + 1] == "  --dataset=cifar100"
    assert "(one of cifar100, cifar10, shapes100, shapes100_tiny, folder:PATH, tfds:NAME, auto)" in " ".join(
        line.strip() for line in lines[begin:]
    )
