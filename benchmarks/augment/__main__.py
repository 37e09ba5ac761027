"""Measure transforms and augmentation sets in images per second, and compare them with other libraries.

    python -m benchmarks.augment --out=FILE.json
    python -m benchmarks.augment --sets=original,flip_shift,CutMix

Rows: `ours/WHAT`; `peer/NAME/WHAT` with the ratio of ours to it; `ours/quick_step` and the share of it that flips and
shifts take. All cases turn the same uint8 batch into float32 images of 0 to 255, with random parameters for each image.
Drawing them is timed too. A round measures every case once, so that their spreads cover the same time.

Peers are other libraries, each in the fastest form that we know of. A row's `work` is `equal` or `nearest` to ours:
  keras_layers         Keras's layers one after the other in one tf.function, compiled by XLA where XLA can.
                       Equal: flips, Rotation, Zoom, Translation, MixUp, Grayscale. Nearest: Shift, Crop and the sets
                       with them (RandomTranslation to the nearest whole pixel; it reflects with the border repeated),
                       Cutout and RandomErasing (boxes drawn otherwise), Shear (about a corner), ChannelShift and the
                       original study's sets (RandomBrightness clips to 0 to 255, not to the range of the image), CutMix
                       (boxes that are never cut off), ColorJitter, RandAugment (one choice of operations a batch),
                       AugMix (one choice, made when it is traced), AlternatingFlip (a plain flip).
  ImageDataGenerator   Equal to the original study's set, which used it. On the host, image by image.
  torchvision          Its transforms draw once a batch, so a DataLoader runs them image by image, in this process.
                       Nearest: one zoom for both axes, black corners, brightness times a factor, rounded to uint8. In
                       the extra `peers`; left out where it is not installed.
  torchvision_workers  The same with a worker process for each CPU.
The images of the last three stay on the host; on a machine with a GPU, ours and Keras's layers run there.
"""

from benchmarks.augment import choice
from benchmarks.harness import cli_output
from benchmarks.harness import data as harness_data
from benchmarks.harness.results import Row
from pipeline.common import app, progress
from pipeline.data_config import DataConfig, SourceConfig

flags = app.Flags(SourceConfig)
SETS = flags.DEFINE_list("sets", [], "augmentation sets and transforms to measure; default: all, or a few with --quick")
REPEATS = flags.DEFINE_integer("repeats", 0, "number of rounds; 0 is 7, or 3 with --quick", lower_bound=0)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 512, "images in a batch", lower_bound=2)
STEP = flags.DEFINE_bool("step", True, "also measure the training step of the preset quick")
QUICK = flags.DEFINE_bool("quick", False, "under a minute: few sets and few short rounds")
cli_output.define_flags(flags)

QUICK_SETS = ("original", "flip_shift", "flip_crop", "HorizontalFlip", "CutMix")


def main() -> None:
    """Measure all sets and transforms in turns, and publish the rows."""
    cli_output.check("augment")
    names = SETS.value or (QUICK_SETS if QUICK.value else choice.NAMES)
    choice.check(names)
    # Nothing is held out: the batch may be as large as possible.
    batch_data = harness_data.prepared_quick(num_validation=0, batch_size=BATCH_SIZE.value)
    data = batch_data.replace(batch_size=DataConfig.batch_size)
    app.load_tensorflow()
    from benchmarks.augment import cases, rows
    from models.runtime import cudnn, device

    device.allow_gpu_memory_growth()
    cudnn.warn_if_old()
    repeats, round_s, num_steps = (REPEATS.value or 3, 0.05, 2) if QUICK.value else (REPEATS.value or 7, 0.1, 8)
    batch = cases.Batch.first(batch_data)
    compared: list[rows.Compared] = []
    step_rows: list[Row] = []

    def measured() -> list[Row]:
        return [row for one in compared for row in one.rows()] + step_rows

    num_measurements = len(names) * (1 + repeats) + int(STEP.value)
    with (
        cli_output.publishing("augment", measured),
        progress.task("measuring", num_measurements, "measurements", in_background=False) as task,
    ):
        for name in names:
            compared.append(rows.Compared(name, batch, round_s))
            task.advance()
        for one in compared * repeats:
            one.time()
            task.advance()
        if STEP.value:
            step_rows += rows.share_of_quick_step(data, repeats, round_s, num_steps)
            task.advance()


if __name__ == "__main__":
    app.run(main, flags)
