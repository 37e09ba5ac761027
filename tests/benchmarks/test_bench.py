"""Every benchmark is listed, with what its own first line says."""

import ast

from benchmarks import bench
from tests.conftest import ROOT


def test_every_binary_that_writes_rows_is_listed():
    writes = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if "output.finish(" in path.read_text() and path.stem != "output"
    }
    assert writes <= set(bench.BENCHMARKS)
    assert len(writes) >= 6


def test_list_says_what_each_one_measures(capsys):
    bench.main()
    told = capsys.readouterr().out
    for name in bench.BENCHMARKS:
        assert f"python -m benchmarks.{name} " in told
        docstring = ast.get_docstring(ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text()))
        assert bench.summary(name) == docstring.splitlines()[0]
        assert bench.summary(name)[:60] in told
