"""Predicts files or a split of a finished run's data, and writes a row and perhaps a picture of each image."""

import contextlib
import dataclasses
from collections.abc import Generator, Sequence

from models.prediction import formats, output, stream
from models.prediction.explanation import Explainer
from models.prediction.pictures import PictureFolder
from models.prediction.predictor import Predictor
from models.runs.folder import RunFolder
from models.training import evaluation, preconditions
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from pipeline.common import progress


@dataclasses.dataclass(frozen=True)
class Output:
    """What is written of the predictions.

    Attributes:
      num_top: classes of a row; there may be fewer.
      format: "table", "jsonl" or "csv".
      out: path of the file for the rows; "" is stdout.
      explain: path of the folder for pictures; "" draws none.
    """

    num_top: int = 5
    format: str = "table"
    out: str = ""
    explain: str = ""


def predict_files(predictor: Predictor, paths: Sequence[str], written: Output) -> int:
    """Predict image files; returns how many could not be."""
    return _write(predictor, stream.of_files(predictor, paths, written.num_top), paths, len(paths), written)


def predict_split(run: RunFolder, split_name: str, data_dir: str, written: Output) -> None:
    """Predict every image of "validation" or "test"; arguments and errors as of `evaluation.evaluate_run`."""
    opened = OpenedData(preconditions.evaluated_data(run, split_name, data_dir))
    evaluation.warn_of_other_records(evaluation.compare_records(run, opened, split_name), opened.config)
    predictor, count = Predictor(run, EVAL_BATCH_SIZE), opened.num_examples[split_name]
    with opened.reading():
        predictions = stream.of_split(predictor, split_name, opened.evaluation(split_name), written.num_top)
        _write(predictor, predictions, [f"{split_name}:{count}"], count, written, has_truth=True)


def _write(
    predictor: Predictor,
    batches: Generator[stream.Batch, None, None],
    paths: Sequence[str],
    count: int,
    written: Output,
    has_truth: bool = False,
) -> int:
    """Write the predictions; returns the number of rows with an error. `paths` are those of rows, or a widest one."""
    form, num_errors = _format(predictor, paths, written, has_truth), 0
    pictures = PictureFolder(written.explain, Explainer(predictor), predictor.classes) if written.explain else None
    with (
        contextlib.closing(batches),
        output.opened(written.out) as write,
        progress.task("predicting", count, "images") as task,
    ):
        # A picture takes as long as thousands of rows, so the row of each is written with it.
        parts = ([one] for batch in batches for one in batch) if pictures else batches
        if not write(form.heading()):
            return 0
        for part in parts:
            texts, failed = [], 0
            for row, image in part:
                if pictures and image is not None:
                    row = row._replace(picture=pictures.write(row, image))
                texts.append(form.text(row))
                failed += bool(row.error)
            if not write("".join(texts)):
                break
            num_errors += failed
            task.advance(len(texts))
    return num_errors


def _format(predictor: Predictor, paths: Sequence[str], written: Output, has_truth: bool) -> formats.Format:
    has_fine, has_coarse = ("fine" in predictor.levels), ("coarse" in predictor.levels)
    if written.format == "jsonl":
        return formats.JsonLines()
    if written.format == "table":
        return formats.Table(paths, predictor.classes, has_fine)
    count = len(predictor.classes.fine if has_fine else predictor.classes.coarse)
    num_top = min(written.num_top, count)
    return formats.Csv(
        num_top, has_fine=has_fine, has_coarse=has_coarse, has_truth=has_truth, has_picture=bool(written.explain)
    )
