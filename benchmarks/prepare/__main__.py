"""Measure the preparation of class folders of images, also after a kill, and the start of a training on them.

    python -m benchmarks.prepare --num_images=200000 --num_classes=1000 --image_size=64 --out=FILE.json

The images are generated as JPEG files in a temporary folder, which is removed at the end. Rows, where IMAGES is their
number:
  ours/prepare/IMAGES       seconds of `pipeline.prepare`, and the peak memory of it and its processes
  ours/kept/IMAGES          images that a call with half of the parts finished, when it was killed (SIGKILL), leaves
  ours/continue/IMAGES      seconds of the next call, which reads the others
  ours/first_step/IMAGES    seconds from the start of a training of the preset quick with --cache=none to its first step
  ours/train_peak/IMAGES    peak memory in MiB of such a training for --max_steps, its validation included
"""

import pathlib
import shutil
import sys
import tempfile

from benchmarks.harness import cli_output, results, startup_times
from benchmarks.harness import data as harness_data
from benchmarks.harness.labels import Labels
from benchmarks.prepare import cases
from pipeline.common import app, errors, progress
from pipeline.data_config import SourceConfig

OPTIONS = {"preset": "quick", "cache": "none"}  # of the trainings
QUICK_IMAGES, QUICK_CLASSES, QUICK_STEPS = 4_000, 10, 2

flags = app.Flags()
NUM_IMAGES = flags.DEFINE_integer("num_images", 20_000, "number of images, 1,000 or more", lower_bound=1_000)
NUM_CLASSES = flags.DEFINE_integer("num_classes", 100, "number of class folders", lower_bound=2)
IMAGE_SIZE = flags.DEFINE_integer("image_size", 64, "pixels each way of the images", lower_bound=8, upper_bound=512)
MAX_STEPS = flags.DEFINE_integer("max_steps", 60, "number of steps of the training", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, f"about a minute: {QUICK_IMAGES:,} images and {QUICK_STEPS} steps")
cli_output.define_flags(flags)


def main() -> None:
    """Generate, measure, publish."""
    cli_output.check("prepare", ("num_images", "num_classes", "max_steps"))
    num_images, num_classes, max_steps = NUM_IMAGES.value, NUM_CLASSES.value, MAX_STEPS.value
    if QUICK.value:
        num_images, num_classes, max_steps = QUICK_IMAGES, QUICK_CLASSES, QUICK_STEPS
    if num_images < 10 * num_classes:
        raise errors.BadArgumentError(
            f"num_images={num_images}: expected 10 or more for each of num_classes={num_classes}"
        )
    rows: list[results.Row] = []

    def add(kind: str, unit: str, value: float, **more: float) -> None:
        labels = Labels.of(f"ours/{kind}/{{num_images}}", kind, num_images=num_images)
        rows.append(results.row(labels, unit, [value], 1, **more))

    with cli_output.publishing("prepare", lambda: rows), tempfile.TemporaryDirectory() as folder:
        root, data_dir = pathlib.Path(folder, "images"), pathlib.Path(folder, "data")
        files = cases.generate(root, num_images, num_classes, IMAGE_SIZE.value)
        for _ in progress.track(files, "generating", num_images, "images"):
            pass
        source = SourceConfig(dataset=f"folder:{root}", data_dir=str(data_dir), image_size=IMAGE_SIZE.value)
        with progress.task("preparing, killing, continuing, training", 5, "measurements") as task:
            whole = cases.prepare(source)
            add("prepare", "s", whole["seconds"], peak_mib=round(whole["peak_mib"], 1))
            task.advance()
            shutil.rmtree(data_dir)
            cases.kill_half_way(source, num_images)
            task.advance()
            continued = cases.prepare(source)
            add("kept", "images", continued["kept"])
            add("continue", "s", continued["seconds"], peak_mib=round(continued["peak_mib"], 1))
            task.advance()
            options = [f"--{name}={value}" for name, value in OPTIONS.items()]
            command = [sys.executable, "-m", "models.train", *harness_data.flags_of(source), *options]
            add("first_step", "s", startup_times.first_step_s(command)[0])
            task.advance()
            add("train_peak", "MiB", cases.train_peak_mib(command, max_steps))
            task.advance()


if __name__ == "__main__":
    app.run(main, flags)
