"""Evaluate a trained run on validation or test, every example once, and write the metrics to its report.

    python -m models.evaluate --run_dir=runs/quick --split=test

Prints the run's report with the new metrics. In report.json the training times stay, and `evaluations` has the latest
metrics of each split. On validation it fits the temperatures in calibration.json, which docs/calibration.md explains. A
run on read-only media is evaluated too; its files stay as they are.
"""

import contextlib

from models.runs import folder as run_folder
from models.training import preconditions
from pipeline.common import app, progress

flags = app.Flags()
RUN_DIR = flags.DEFINE_path("run_dir", "", "folder of the run that models.train wrote")
DATA_DIR = flags.DEFINE_path("data_dir", "", "folder of prepared data sets; default: that of the run")
SPLIT = flags.DEFINE_enum("split", "validation", ["validation", "test"], "split to evaluate")


def main() -> None:
    """Load the run's model, evaluate it, report."""
    folder = run_folder.given(RUN_DIR.value)
    preconditions.evaluated_data(folder, SPLIT.value, DATA_DIR.value)  # before the slow import of TensorFlow
    folder.check_readable()
    app.load_tensorflow()
    with progress.task("loading Keras"):
        from models.reporting import page, table
        from models.runtime import device
        from models.training import evaluation

    device.allow_gpu_memory_growth()
    reason = folder.read_only_reason
    with contextlib.nullcontext() if reason else folder.locked():  # until the page shows what the report has
        evaluation.evaluate_run(folder, SPLIT.value, DATA_DIR.value, lambda report: table.show(folder, report=report))
        if reason is None:
            page.write(folder)
    table.show_page(folder)
    if reason is not None:
        print(f"run_dir={folder.path}: cannot be written ({reason}); its report.json was left as it is")


def run() -> None:
    """The console script `cifar-evaluate`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
