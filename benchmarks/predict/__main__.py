"""Measure the images per second of `models.predict` on PNG files, and the growth of its memory.

    python -m benchmarks.predict --num_images=100000 --out=FILE.json

The files are the training images of the data set, again and again, in a temporary folder. ENCODING is `compressed`, as
Pillow writes PNG by default, or `stored`, without compression, as prepared data sets have them. The run is of a linear
layer, since a network of any size takes longer than all else. Start-up is not measured. Rows, of IMAGES files:
  ours/evaluate           reading and decoding the test images from the prepared records, as an evaluation does; its
                          ratio is to ours/predict/stored, since the records hold such files
  ours/decode/ENCODING    the stage of an evaluation that decodes, on such files in memory
  ours/predict/ENCODING   from files to rows in a file; its ratio is to ours/decode/ENCODING
  ours/growth/IMAGES      MiB of resident memory: the peak over the last nine tenths of the files less the one before
"""

import pathlib
import tempfile

from benchmarks.harness import cli_output, results, subprocess_call, timing
from benchmarks.harness import data as harness_data
from benchmarks.harness.labels import Labels
from pipeline.common import app, progress
from pipeline.data_config import SourceConfig

QUICK_IMAGES = 2_000

flags = app.Flags(SourceConfig)
NUM_IMAGES = flags.DEFINE_integer("num_images", 20_000, "number of files, 1,000 or more", lower_bound=1_000)
REPEATS = flags.DEFINE_integer("repeats", 5, "number of rounds", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, f"under a minute: {QUICK_IMAGES:,} files and one round")
cli_output.define_flags(flags)


def main() -> None:
    """Write the files, train the run, measure, publish."""
    cli_output.check("predict", ("num_images", "repeats"))
    num_images, repeats = (QUICK_IMAGES, 1) if QUICK.value else (NUM_IMAGES.value, REPEATS.value)
    data = harness_data.prepared_quick(cache="none")
    app.load_tensorflow()
    from benchmarks.predict import cases

    rows: list[results.Row] = []
    with (
        cli_output.publishing("predict", lambda: rows, dataset=data.shown_name),
        tempfile.TemporaryDirectory() as folder,
    ):
        root = pathlib.Path(folder)
        files = cases.write_files(data, root, num_images)
        for _ in progress.track(files, "writing files", num_images, "images"):
            pass
        run = cases.train(data, root / "run")
        measured = [cases.evaluation(data, num_images)]
        for encoding in cases.ENCODINGS:
            measured += [cases.decoding(data, root, encoding), cases.prediction(run, root, encoding)]
        with progress.task("measuring", len(measured) * (repeats + 1), "passes", in_background=False) as task:
            timings = timing.interleave(measured, repeats, each=task.advance)
        bases = {f"ours/predict/{encoding}": f"ours/decode/{encoding}" for encoding in cases.ENCODINGS}
        bases["ours/evaluate"] = "ours/predict/stored"
        for name, one in timings.items():
            rows.append(results.timed(one, compared=(one, timings[bases[name]]) if name in bases else None))
        grown = subprocess_call.call(cases.growth, run_dir=str(run.path), root=str(root), encoding="compressed")
        labels = Labels.of("ours/growth/{num_images}", "growth", num_images=num_images)
        rows.append(results.row(labels, "MiB", [grown["mib"]], 1))


if __name__ == "__main__":
    app.run(main, flags)
