"""The tables of faults and of mutants have a line for each row, with its counts."""

import json

from benchmarks.publish import fault_tables


def test_a_row_is_a_line_with_its_counts(tmp_path):
    row = {"binary": "train", "at": "random", "kills": 20, "runs": 1000, "failures": 1}
    document = {"command": "python -m tests.faults.kills", "git_commit": "0123456789", "rows": [row]}
    (tmp_path / "kills.json").write_text(json.dumps(document))
    assert fault_tables.table(tmp_path)[2:] == [
        "| `python -m tests.faults.kills` | train | 20 kills, 1,000 runs | 1 | 0123456 |"
    ]


def test_without_results_there_is_no_line(tmp_path):
    assert len(fault_tables.table(tmp_path)) == 2


def test_mutants_have_a_table_of_their_own(tmp_path):
    rows = [
        {"module": module, "drawn": 1150, "equivalent": 4, "killed": 1143, "timed_out": 2, "survived": 1}
        for module in ("pipeline/split.py", "all")
    ]
    document = {"command": "python -m tests.faults.mutation", "git_commit": "0123456789", "rows": rows}
    (tmp_path / "mutation.json").write_text(json.dumps(document))
    assert fault_tables.mutants(tmp_path) == [
        "| module | drawn | equivalent | killed | timed out | survived |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| pipeline/split.py | 1,150 | 4 | 1,143 | 2 | 1 |",
        "| all | 1,150 | 4 | 1,143 | 2 | 1 |",
        "",
        "`python -m tests.faults.mutation`, commit 0123456",
    ]
    assert len(fault_tables.table(tmp_path)) == 2
