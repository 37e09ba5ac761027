"""Measure the accuracy of a trained run on corrupted images, and its detection of out-of-distribution images.

    python -m benchmarks.robustness --run_dir=runs/fast --out=FILE.json

The test split is read once for each corruption and severity, only to report. Corruptions are those of CIFAR-100-C
(Hendrycks and Dietterich 2019), made while they are read; docs/robustness.md says what differs. Rows, in percent, with
METRIC fine_accuracy or coarse_accuracy:
  ours/clean/METRIC                   of the images as they are
  ours/CORRUPTION/SEVERITY/METRIC     of corrupted images
  ours/mean_corruption/METRIC         the mean over 15 corruptions and 5 severities
  ours/mean_extra_corruption/METRIC   the mean over the 4 further corruptions
  ours/OUTLIERS/SCORE/auroc           area under the ROC curve: images of test against others, by max_softmax or energy
  ours/OUTLIERS/SCORE/fpr_at_95_tpr   share of the others that is accepted where 95 % of test is
"""

from benchmarks.harness import cli_output, number_flags
from benchmarks.harness.results import Row
from benchmarks.robustness import corruptions, outliers
from benchmarks.robustness.corruptions import CORRUPTIONS, SEVERITIES
from models.runs import folder as run_folder
from models.training import preconditions
from pipeline.common import app, errors, progress
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared

SHAPES100 = "shapes100"
QUICK_IMAGES, QUICK_SEVERITIES = 100, (1, 5)

flags = app.Flags()
RUN_DIR = flags.DEFINE_path("run_dir", "", "folder of the run that models.train wrote")
DATA_DIR = flags.DEFINE_path("data_dir", "", "folder of prepared data sets; default: that of the run")
NUM_IMAGES = flags.DEFINE_integer("num_images", 0, "number of test images; 0: all", lower_bound=0)
CHOSEN = flags.DEFINE_list("corruptions", list(CORRUPTIONS), f"some of {', '.join(CORRUPTIONS)}")
CHOSEN_SEVERITIES = flags.DEFINE_list("severities", [str(severity) for severity in SEVERITIES], "some of 1 to 5")
OOD = flags.DEFINE_list(
    "ood",
    list(outliers.SOURCES),
    f"out-of-distribution images to detect: some of {', '.join(outliers.SOURCES)} and folder:PATH; empty for none",
)
QUICK = flags.DEFINE_bool(
    "quick", False, f"under a minute: {QUICK_IMAGES} test images, the weakest and strongest severity"
)
cli_output.define_flags(flags)


def main() -> None:
    """Measure, publish the rows, print tables."""
    cli_output.check("robustness", ("num_images", "severities"))
    corruptions.check(CHOSEN.value)
    severities = number_flags.parse("severities", CHOSEN_SEVERITIES.value, int, "1,3,5", high=max(SEVERITIES))
    severities = QUICK_SEVERITIES if QUICK.value else severities
    outliers.check(OOD.value)
    run = run_folder.given(RUN_DIR.value)
    data = preconditions.evaluated_data(run, "test", DATA_DIR.value)
    run.check_readable()
    num_images, others = _num_images(data), _others(data)
    app.load_tensorflow()
    with progress.task("loading Keras"):
        from benchmarks.robustness import rows as robustness_rows
        from benchmarks.robustness.measurement import Measurement
        from models.runtime import device
        from models.training import evaluation

    device.allow_gpu_memory_growth()
    measurement, rows = Measurement(run, data, num_images), list[Row]()
    records = measurement.evaluated_records
    evaluation.warn_of_other_records(records, data)
    more = {"dataset": data.shown_name, "evaluated_records": records, "runs": [{"report": run.report()}]}
    with cli_output.publishing("robustness", lambda: rows, robustness_rows.show, **more):
        for row in measurement.accuracies(CHOSEN.value, severities):
            rows.append(row)
        for row in measurement.detections(others):
            rows.append(row)


def _num_images(data: DataConfig) -> int:
    available = prepared.description(data.data_dir, data.prepared_name).num_examples["test"]
    if QUICK.value:
        return min(QUICK_IMAGES, available)
    if NUM_IMAGES.value > available:
        raise errors.BadArgumentError(f"num_images={NUM_IMAGES.value}: {data.shown_name} has {available:,} test images")
    return NUM_IMAGES.value or available


def _others(data: DataConfig) -> list[str]:
    """The values of --ood; of the default ones not shapes100 where the run was trained on it."""
    is_trained_on = data.shown_name.startswith(SHAPES100)
    if is_trained_on and SHAPES100 in OOD.value and OOD.present:
        raise errors.BadArgumentError(f"ood={SHAPES100}: the run was trained on such images; leave it out")
    return [name for name in OOD.value if not (is_trained_on and name == SHAPES100)]


if __name__ == "__main__":
    app.run(main, flags)
