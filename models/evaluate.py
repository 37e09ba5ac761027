"""Evaluate a trained run on validation or test, every example once, and write the metrics to its report.

    python -m models.evaluate --run_dir=runs/quick --split=test

Prints the run's report with the new metrics. In report.json the training times stay, and `evaluations` has the latest
metrics of each split.
"""

from models.runs.folder import RunFolder
from pipeline.common import app, errors, progress

flags = app.Flags()
RUN_DIR = flags.DEFINE_path("run_dir", "", "folder of the run that models.train wrote")
DATA_DIR = flags.DEFINE_path("data_dir", "", "folder of prepared data sets; default: that of the run")
SPLIT = flags.DEFINE_enum("split", "validation", ["validation", "test"], "split to evaluate")


def main() -> None:
    """Load the run's model, evaluate it, report."""
    if not RUN_DIR.value:
        raise errors.BadArgumentError("run_dir is missing: expected --run_dir=FOLDER that models.train wrote")
    folder = RunFolder(RUN_DIR.value).check_finished()
    folder.check_readable()  # before the slow import of TensorFlow
    app.load_tensorflow()
    with progress.task("loading Keras"):
        from models.reporting import page, table
        from models.runtime import device
        from models.training import evaluation

    device.allow_gpu_memory_growth()
    evaluation.evaluate_run(folder, SPLIT.value, DATA_DIR.value)
    page.write(folder)
    table.show(folder)


def run() -> None:
    """The console script `cifar-evaluate`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
