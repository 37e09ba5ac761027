"""Predict the classes of images: of files, of folders, or of a prepared split.

    python -m models.predict --run_dir=runs/quick photos/ 'more/**/*.jpg' cat.png
    find /photos -name '*.jpg' | python -m models.predict --run_dir=runs/quick --format=jsonl --out=found.jsonl -
    python -m models.predict --run_dir=runs/quick --split=test --format=csv

Each image has a row on stdout, or in --out: its most probable classes with their superclasses, and its superclass. A
file that is no image has a row with the reason; the others are predicted, and the exit code is 1. A folder stands for
the images in it and in its folders; a quoted pattern may have *, ?, [ and **; - is a list of paths on stdin.
"""

import pathlib
import sys

from models.prediction import inputs
from models.runs import folder as run_folder
from models.runs import output_file
from models.runs.folder import RunFolder
from models.training import preconditions
from pipeline.common import app, errors, files, paths, progress

flags = app.Flags(takes_arguments=True)
RUN_DIR = flags.DEFINE_path("run_dir", "", "folder of the run that models.train wrote")
DATA_DIR = flags.DEFINE_path("data_dir", "", "folder of prepared data sets, for --split; default: that of the run")
SPLIT = flags.DEFINE_enum("split", None, ["validation", "test"], "prepared split to predict, instead of files")
TOP = flags.DEFINE_integer("top", 5, "number of classes in a row, the most probable ones", lower_bound=1)
FORMAT = flags.DEFINE_enum("format", "table", ["table", "jsonl", "csv"], "format of the rows")
OUT = flags.DEFINE_path("out", "", "file to write the rows to, replaced when all are written; default: stdout")
EXPLAIN = flags.DEFINE_path(
    "explain", "", "folder for a saliency map of each image: the parts that its predicted class depends on"
)


def main() -> None:
    """Check what is given, predict it, write the rows."""
    run = _checked_run()
    given = [] if SPLIT.value else inputs.find(flags.arguments, sys.stdin.buffer)
    app.load_tensorflow()
    with progress.task("loading Keras"):
        from models.prediction import job
        from models.prediction.predictor import Predictor
        from models.runtime import device
        from pipeline.batches import EVAL_BATCH_SIZE

    device.allow_gpu_memory_growth()
    written = job.Output(TOP.value, FORMAT.value, OUT.value, EXPLAIN.value)
    if SPLIT.value:
        job.predict_split(run, SPLIT.value, DATA_DIR.value, written)
    elif num_errors := job.predict_files(Predictor(run, min(EVAL_BATCH_SIZE, len(given))), given, written):
        raise errors.FailedError(f"{num_errors:,} of {len(given):,} files are not predicted; their rows say why")


def _checked_run() -> RunFolder:
    """The finished run; errors.BadArgumentError or errors.FailedError for what can be known without TensorFlow."""
    run = run_folder.given(RUN_DIR.value).check_model()
    if SPLIT.value and flags.arguments:
        raise errors.BadArgumentError(f"split={SPLIT.value}: expected no files beside it, got {flags.arguments[0]!r}")
    if not SPLIT.value and not flags.arguments:
        raise errors.BadArgumentError("expected images: files, folders, quoted patterns or -, or --split=test")
    if DATA_DIR.value and not SPLIT.value:
        raise errors.BadArgumentError(f"data_dir={DATA_DIR.value}: nothing reads it without --split; leave it out")
    if SPLIT.value:
        preconditions.evaluated_data(run, SPLIT.value, DATA_DIR.value)
    run.description()
    if OUT.value:
        output_file.check(OUT.value)
    if EXPLAIN.value:
        paths.check_folder(pathlib.Path(EXPLAIN.value), "explain")
        files.check_folder_writable("explain", pathlib.Path(EXPLAIN.value))
    return run


def run() -> None:
    """The console script `cifar-predict`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
