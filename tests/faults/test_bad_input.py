"""Bad values of the flags of each binary are refused: one line that begins with the flag, exit code 2, no new file."""

import collections
import random

import pytest

from tests.faults.bad_input import calls, table
from tests.test_layers import BINARIES

ENTRIES = {binary: table.entries(binary) for binary in table.binaries()}
COMMAND_LINE = random.Random(0).sample([entry for some in ENTRIES.values() for entry in some], 60)


def test_every_flag_of_every_binary_has_entries():
    assert list(ENTRIES) == BINARIES
    for binary, entries in ENTRIES.items():
        num_entries = collections.Counter(entry.flag for entry in entries)
        assert num_entries.keys() == set(table.flags_of(binary))
        assert max(num_entries.values(), default=0) <= table.MAX_ENTRIES


@pytest.mark.parametrize("binary", [binary for binary in ENTRIES if ENTRIES[binary]])
def test_bad_values_are_refused(binary, tmp_path):
    problems = {
        entry.arguments: calls.in_this_process(entry, tmp_path)
        for entry in ENTRIES[binary]
        if not entry.needs_tensorflow
    }
    assert not {arguments: problem for arguments, problem in problems.items() if problem}


def test_what_is_wrong_with_a_refusal_is_noticed(tmp_path):
    accepted = table.Entry("models.train", "seed", table.WRONG_TYPE, ("--seed=1",))
    assert calls.in_this_process(accepted, tmp_path).startswith("accepted")
    other_flag = table.Entry("models.train", "see", table.WRONG_TYPE, ("--seed=ten",))
    assert calls.in_this_process(other_flag, tmp_path).startswith("expected see first")


def test_refused_on_the_command_line_too(tmp_path):
    assert not calls.on_the_command_line(COMMAND_LINE[0], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("entry", COMMAND_LINE[1:], ids=lambda entry: f"{entry.binary}-{entry.flag}")
def test_refused_on_the_command_line(entry, tmp_path):
    assert not calls.on_the_command_line(entry, tmp_path)
