"""Every benchmark is listed, with the first line of its docstring."""

import ast
import re

from benchmarks import bench
from tests.conftest import ROOT

FOLDER = ROOT / "benchmarks"


def test_every_binary_that_writes_rows_is_listed():
    binaries = [*FOLDER.glob("*.py"), *FOLDER.glob("*/__main__.py")]
    writers = [path for path in binaries if re.search(r"cli_output\.(finish|publishing)\(", path.read_text())]
    names = {path.parent.name if path.stem == "__main__" else path.stem for path in writers}
    assert names <= set(bench.BENCHMARKS)
    assert len(names) >= 6
    assert not {"harness", "publish", "show", "bench"} & set(bench.BENCHMARKS)


def test_list_says_what_each_one_measures(capsys):
    bench.main()
    printed = capsys.readouterr().out
    for name in bench.BENCHMARKS:
        assert f"python -m benchmarks.{name} " in printed
        path = FOLDER / name / "__main__.py" if (FOLDER / name).is_dir() else FOLDER / f"{name}.py"
        assert bench.summary(name) == ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
        assert bench.summary(name)[:60] in printed
