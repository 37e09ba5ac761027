"""A few random inputs for each reader of outside data; `python -m tests.faults.fuzz` tries more."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.faults.fuzz.readers import READERS
from tests.faults.fuzz.runner import fuzz

COUNTS = {"archive": 120, "folder": 60, "pickle": 600, "records": 150, "labels": 600, "config": 300}
# A reader that handles the inputs 0 to 3 as no reader may, and reads the others.
FAULTY = """
import os, sys
from tests.faults.fuzz import readers, worker

class Faulty(readers.Reader):
    def make_seeds(self):
        return [b"9"]
    def draw(self, draw):
        self.count = getattr(self, "count", -1) + 1
        return b"%d" % self.count
    def read(self, data):
        if data == b"0":
            raise KeyError(data)
        if data == b"1":
            self.path.with_name("new").write_bytes(b"")
        if data == b"2":
            os.system("true")
        if data == b"3":
            bytes(2 << 30)

readers.READERS["faulty"] = Faulty
worker.main("faulty", "0", "0", "6", "0", sys.argv[1])
"""


@pytest.mark.parametrize("reader", READERS)
def test_no_input_is_mishandled(reader):
    counts = fuzz(reader, count=COUNTS[reader])
    assert counts.mishandled == 0
    assert counts.inputs == COUNTS[reader]
    assert counts.read < counts.inputs


def test_a_reader_with_faults_is_found(tmp_path):
    command = [sys.executable, "-c", FAULTY, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert '"inputs": 6, "read": 2, "mishandled": 4' in result.stdout
    for index, sign in enumerate(("KeyError", "escape: open", "escape: os.system", "MemoryError")):
        assert f"input {index} of faulty" in result.stderr
        assert sign in result.stderr
