"""Print the tables of committed results again, without measuring.

    python -m benchmarks.show --files=benchmarks/results/augment.json,benchmarks/results/train_step.json

For each file: its command, commit and machine, then its table. By default every benchmark's result in
benchmarks/results.
"""

import json
import pathlib
from typing import Any

from benchmarks.harness import results
from pipeline.common import app, errors

RESULTS = pathlib.Path(__file__).parent / "results"
flags = app.Flags()
FILES = flags.DEFINE_path_list(
    "files", "JSON files written by benchmarks with --out; default: all in benchmarks/results"
)
SHOWN = ("command", "git_commit", "device")


def main() -> None:
    """Print one file after the other."""
    files = [pathlib.Path(name) for name in FILES.value] or sorted(RESULTS.glob("*.json"))
    for path, document in {path: _document(path) for path in files}.items():
        if "benchmark" not in document and not FILES.value:
            continue  # a run's report, or the schema
        print(path, *(f"  {key}: {document[key]}" for key in SHOWN), sep="\n")
        results.show(document["benchmark"], [results.Row.from_json(fields) for fields in document["rows"]])


def _document(path: pathlib.Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.BadArgumentError(f"files: {path}: {error.strerror}") from error
    except ValueError:
        document = None
    if not isinstance(document, dict) or (FILES.value and not {"benchmark", "rows", *SHOWN} <= document.keys()):
        raise errors.BadArgumentError(f"files: {path}: expected JSON that a benchmark wrote with --out")
    return document


if __name__ == "__main__":
    app.run(main, flags)
