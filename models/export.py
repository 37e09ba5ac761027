"""Export a trained run as files for other runtimes, each checked in its own, with a model card.

    python -m models.export --run_dir=runs/quick --format=saved_model,litert,keras --out=exported

Files take uint8 images and return probabilities; they need nothing of this project. Each is loaded by its own runtime,
and compared with the model in float32 on validation images. Prints a table; writes export.json, labels.json,
MODEL_CARD.md and the files. A format that fails its check is left out, and the exit code is 1.
"""

import pathlib
import shlex
import sys
from typing import Any

from models.exporting import folder, formats
from models.runs import folder as run_folder
from models.runs import output_file
from models.training import preconditions
from pipeline.common import app, errors, files, markdown_table, paths, progress
from pipeline.common.markdown_table import Column

flags = app.Flags()
RUN_DIR = flags.DEFINE_path("run_dir", "", "folder of the run that models.train wrote")
DATA_DIR = flags.DEFINE_path("data_dir", "", "folder of prepared data sets; default: that of the run")
FORMAT = flags.DEFINE_list(
    "format", "saved_model,litert,litert_int8,keras", f"formats, some of {', '.join(formats.PATHS)}"
)
OUT = flags.DEFINE_path(
    "out", "", "output folder, new or of an earlier export, which is replaced; default: export in --run_dir"
)
FIGURES = flags.DEFINE_path("figures", "", "further JSON file for the values of export.json, with the command")


def main() -> None:
    """Check the arguments, export, print the table."""
    formats.check(FORMAT.value)
    run, out = run_folder.given(RUN_DIR.value), pathlib.Path(OUT.value or pathlib.Path(RUN_DIR.value) / "export")
    run.config()
    folder.check(out)
    if FIGURES.value:
        output_file.check(FIGURES.value, "figures")
    preconditions.evaluated_data(run, "test", DATA_DIR.value)  # before the slow import of TensorFlow
    app.load_tensorflow()
    with progress.task("loading Keras"):
        from models.exporting import export
        from models.runtime import device

    device.allow_gpu_memory_growth()
    document = export.export(run, FORMAT.value, out, DATA_DIR.value)
    show(document)
    print(f"written: {paths.shown(out)}")
    if FIGURES.value:
        write_figures(document, paths.local(FIGURES.value, "figures"))
    if document["failed"]:
        raise errors.FailedError(f"format={export.failure_line(document['failed'])}; the other formats are in {out}")


def write_figures(document: dict[str, Any], path: pathlib.Path) -> None:
    """Write what `export.json` holds, but for digests, and the command; errors as of `files.writing`."""
    command = shlex.join(["python", "-m", "models.export", *sys.argv[1:]])
    with files.writing("figures", path):
        files.make_folder(path.parent)
        figures = {name: value for name, value in document.items() if name != "files"}
        files.write_json(path, {"command": command, **figures})
    print(f"written: {paths.shown(path)}")


def show(document: dict[str, Any]) -> None:
    """Print what `export.json` holds."""
    from models.reporting import figures, table

    def percents(heading: str, key: str) -> Column[dict[str, Any]]:
        return Column(heading, lambda row: "" if row[key] is None else figures.percent(row[key]), True, True)

    columns = [
        Column[dict[str, Any]]("format", lambda row: row["format"]),
        percents("agreement, %", "agreement"),
        percents("coarse agreement, %", "coarse_agreement"),
        percents("accuracy, %", "accuracy"),
        percents("coarse accuracy, %", "coarse_accuracy"),
        Column("largest difference", lambda row: f"{row['largest_difference']:.1e}", True),
        Column("bytes", lambda row: f"{row['bytes']:,}", True),
        Column("ms/image, one", lambda row: figures.brief(row["ms_per_image"]), True),
        Column("ms/image, of 100", lambda row: figures.brief(row["ms_per_image_of_100"]), True),
    ]
    console = table.console_of(document["dataset"])
    console.print(table.of_texts(markdown_table.cells(columns, document["formats"])))
    trained, single = document["trained"], document["float32"]
    print(
        f"{document['num_images']:,} {document['split']} images: the trained model ({trained['precision']}) is right "
        f"on {figures.percent(trained['accuracy'])} %, in float32 on {figures.percent(single['accuracy'])} %; "
        f"agreement and differences are of {document['num_compared']:,} of them"
    )
    for row in document["formats"]:
        for layer in row.get("least_exact_layers", ()):
            print(f"{row['format']} loses in {layer['operation']} {layer['layer']}: {layer['error']:.2f} steps")


def run() -> None:
    """The console script `cifar-export`."""
    app.run(main, flags)


if __name__ == "__main__":
    run()
