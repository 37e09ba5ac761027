"""What `benchmarks.predict` measures: an evaluation's decoding, a prediction of files, and its memory."""

import functools
import itertools
import pathlib
from collections.abc import Iterator, Sequence

import PIL.Image

from benchmarks.harness import memory
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from models.config import saved
from models.config.training import TrainConfig
from models.prediction import job, stream
from models.prediction.predictor import Predictor
from models.runs.folder import RunFolder, open_locked
from models.training import loop
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from pipeline.data_config import DataConfig

FORMATS = ("table", "jsonl", "csv")
PER_FOLDER = 1_000  # files


def write_files(data: DataConfig, root: pathlib.Path, count: int) -> Iterator[str]:
    """Write the training images, again and again, as PNG files in folders; yields the path of each."""
    opened = OpenedData(data)
    chunks = itertools.chain.from_iterable(opened.examples("train").as_numpy_iterator() for _ in itertools.count())
    images = itertools.chain.from_iterable(chunk["image"] for chunk in chunks)
    for number, image in enumerate(itertools.islice(images, count)):
        path = root / f"{number // PER_FOLDER:04d}" / f"{number:07d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(path)
        yield str(path)


def train(data: DataConfig, path: pathlib.Path) -> RunFolder:
    """A run of one step of a linear layer."""
    config = TrainConfig(architecture="linear", heads="fine", precision="float32", max_steps=1)
    with open_locked(path, saved.document(data, config), {}) as run:
        loop.train(data, config, run=run, verbose=0)
    return run


def cases(data: DataConfig, run: RunFolder, paths: Sequence[str], root: pathlib.Path) -> list[Case]:
    """The decoding of an evaluation, of about as many images as `paths`, then a prediction in each of FORMATS."""
    opened, predictor = OpenedData(data), Predictor(run, EVAL_BATCH_SIZE)
    num_test = opened.num_examples["test"]
    passes = -(-len(paths) // num_test)
    batches = opened.evaluation("test")

    def decode() -> None:
        for batch in itertools.chain.from_iterable(batches for _ in range(passes)):
            del batch

    decoding = Labels.of("ours/evaluate", "evaluate", cache=data.cache, batch_size=EVAL_BATCH_SIZE)
    found = [Case(decoding, decode, passes * num_test)]
    for name in FORMATS:
        written = job.Output(format=name, out=str(root / f"rows.{name}"))
        labels = Labels.of("ours/predict/{format}", "predict", format=name, num_images=len(paths))
        found.append(Case(labels, functools.partial(job.predict_files, predictor, paths, written), len(paths)))
    return found


def growth(run_dir: str, root: str) -> dict[str, float]:
    """Predict the files in a folder; called in a process of its own.

    Returns {"mib": peak resident memory over the last nine tenths of the files less that over the first tenth}.
    """
    paths = sorted(map(str, pathlib.Path(root, "images").rglob("*.png")))
    predictor = Predictor(RunFolder(run_dir), EVAL_BATCH_SIZE)
    mib: list[float] = []
    for number, _ in enumerate(stream.of_files(predictor, paths, job.Output().num_top)):
        if number % 100 == 0:
            mib.append(memory.resident_mib())
    settled = len(mib) // 10
    return {"mib": max(mib[settled:]) - max(mib[:settled])}
