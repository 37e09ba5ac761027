"""Print the tables of committed results again, without measuring.

    python -m benchmarks.show --files=benchmarks/results/augment.json,benchmarks/results/train_step.json

For each file: its command, commit and machine, then its table. By default every benchmark's result in
benchmarks/results.
"""

import pathlib

from benchmarks.harness import results
from pipeline.common import app

RESULTS = pathlib.Path(__file__).parent / "results"
flags = app.Flags()
FILES = flags.DEFINE_path_list(
    "files", "JSON files written by benchmarks with --out; default: all in benchmarks/results"
)
SHOWN = ("command", "git_commit", "device")


def main() -> None:
    """Print one file after the other."""
    given = [pathlib.Path(name) for name in FILES.value]
    documents = {path: results.read(path, f"files: {path}:") for path in given} or results.read_folder(RESULTS)
    for path, document in documents.items():
        print(path, *(f"  {key}: {document[key]}" for key in SHOWN), sep="\n")
        results.show(document["benchmark"], [results.Row.from_json(fields) for fields in document["rows"]])


if __name__ == "__main__":
    app.run(main, flags)
