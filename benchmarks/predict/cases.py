"""What `benchmarks.predict` measures: an evaluation's decoding, a prediction of files, and its memory."""

import functools
import io
import itertools
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image
import tensorflow as tf

from benchmarks.harness import memory
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from models.config import saved
from models.config.training import TrainConfig
from models.prediction import job, stream
from models.prediction.predictor import Predictor
from models.runs.folder import RunFolder, open_locked
from models.training import loop
from pipeline import source, stages
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from pipeline.data_config import DataConfig
from pipeline.datasets import png

PER_FOLDER = 1_000  # files
MAX_IN_MEMORY = 20_000  # files


def compressed(image: np.ndarray) -> bytes:
    """The PNG file of an image, as Pillow writes it by default."""
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


ENCODINGS: dict[str, Callable[[np.ndarray], bytes]] = {"compressed": compressed, "stored": png.encode}


def write_files(data: DataConfig, root: pathlib.Path, count: int) -> Iterator[np.ndarray]:
    """Write `count` images, the training images again and again, in each of ENCODINGS; yields each image."""
    opened = OpenedData(data)
    chunks = itertools.chain.from_iterable(opened.examples("train").as_numpy_iterator() for _ in itertools.count())
    images = itertools.chain.from_iterable(chunk["image"] for chunk in chunks)
    for number, image in enumerate(itertools.islice(images, count)):
        for name, encode in ENCODINGS.items():
            path = root / name / f"{number // PER_FOLDER:04d}" / f"{number:07d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(image))
        yield image


def files(root: pathlib.Path, encoding: str) -> list[pathlib.Path]:
    """The files of an encoding, in their order."""
    return sorted((root / encoding).rglob("*.png"))


def train(data: DataConfig, path: pathlib.Path) -> RunFolder:
    """A run of one step of a linear layer."""
    config = TrainConfig(architecture="linear", heads="fine", precision="float32", max_steps=1)
    with open_locked(path, saved.document(data, config), {}) as run:
        loop.train(data, config, run=run, verbose=0)
    return run


def evaluation(data: DataConfig, count: int) -> Case:
    """The batches of an evaluation on test, in as many passes as have `count` images or more."""
    opened = OpenedData(data)
    num_test = opened.num_examples["test"]
    passes = -(-count // num_test)
    labels = Labels.of("ours/evaluate", "evaluate", cache=data.cache, batch_size=EVAL_BATCH_SIZE)
    return Case(labels, functools.partial(_consume, opened.evaluation("test"), passes), passes * num_test)


def decoding(data: DataConfig, root: pathlib.Path, encoding: str) -> Case:
    """The decoding stage of an evaluation, on the first MAX_IN_MEMORY files of an encoding."""
    contents = [path.read_bytes() for path in files(root, encoding)[:MAX_IN_MEMORY]]
    chunks = tf.data.Dataset.from_tensor_slices({"image": contents}).batch(source.CHUNK)
    decoded = stages.chain(chunks, (stages.Decode(OpenedData(data).description.image_size),))
    labels = Labels.of("ours/decode/{encoding}", "decode", encoding=encoding, num_images=len(contents))
    return Case(labels, functools.partial(_consume, decoded, 1), len(contents))


def prediction(run: RunFolder, root: pathlib.Path, encoding: str) -> Case:
    """A prediction of the files of an encoding, whose rows go to a file."""
    paths, written = [str(path) for path in files(root, encoding)], job.Output(out=str(root / f"{encoding}.txt"))
    labels = Labels.of("ours/predict/{encoding}", "predict", encoding=encoding, num_images=len(paths))
    predictor = Predictor(run, EVAL_BATCH_SIZE)
    return Case(labels, functools.partial(job.predict_files, predictor, paths, written), len(paths))


def _consume(dataset: tf.data.Dataset, passes: int) -> None:
    for _ in itertools.chain.from_iterable(itertools.repeat(dataset, passes)):
        pass


def growth(run_dir: str, root: str, encoding: str) -> dict[str, float]:
    """Predict the files of an encoding; called in a process of its own.

    Returns {"mib": peak resident memory over the last nine tenths of the files less that over the first tenth}.
    """
    paths = [str(path) for path in files(pathlib.Path(root), encoding)]
    predictor = Predictor(RunFolder(run_dir), EVAL_BATCH_SIZE)
    mib: list[float] = []
    batches = stream.of_files(predictor, paths, job.Output().num_top)
    for number, _ in enumerate(itertools.chain.from_iterable(batches)):
        if number % 100 == 0:
            mib.append(memory.resident_mib())
    settled = len(mib) // 10
    return {"mib": max(mib[settled:]) - max(mib[:settled])}
