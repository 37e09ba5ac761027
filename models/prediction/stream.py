"""Predictions of any number of images in flat memory: decoded ahead by threads, in batches of one size, in order."""

import collections
import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf

from models.prediction import loading, rows
from models.prediction.loading import Loaded
from models.prediction.predictor import Predictor
from models.prediction.rows import Row
from pipeline.common import cpu

Item = TypeVar("Item")
Result = TypeVar("Result")


class Prediction(NamedTuple):
    """A row, and the image that it is of, uint8 [S, S, 3] as the network takes it; None where the row has an error."""

    row: Row
    image: np.ndarray | None


Batch: TypeAlias = Iterator[Prediction]  # made one by one: of thousands at a time, garbage collections take as long


def of_files(predictor: Predictor, paths: Sequence[str], num_top: int) -> Generator[Batch, None, None]:
    """The predictions of image files, in their order; a file that is no image has the reason in its row."""
    num_threads = cpu.count()
    size = max(1, min(loading.CHUNK, len(paths) // (4 * num_threads)))  # few files keep all threads busy too
    chunks = (paths[n : n + size] for n in range(0, len(paths), size))
    load = functools.partial(loading.load, predictor)
    with concurrent.futures.ThreadPoolExecutor(num_threads, "decode") as executor:
        try:
            loaded = _ahead(executor, load, chunks, predictor.batch_size // size + 2 * num_threads)
            named = zip(paths, itertools.chain.from_iterable(loaded), strict=True)
            while batch := list(itertools.islice(named, predictor.batch_size)):
                yield _of_batch(predictor, batch, num_top)
        finally:
            executor.shutdown(cancel_futures=True)


def of_split(
    predictor: Predictor, split_name: str, stream: tf.data.Dataset, num_top: int
) -> Generator[Batch, None, None]:
    """The predictions of a split, of the batches of `OpenedData.evaluation`; a row's path is `test:0` and so on."""
    count = itertools.count()
    names = predictor.classes.names
    for batch in stream.as_numpy_iterator():
        mask = batch["mask"]
        pixels = batch["image"][mask]
        truths = [{level: names[level][batch[level][n]] for level in names} for n in np.flatnonzero(mask)]
        named = [(f"{split_name}:{next(count)}", image) for image in pixels]
        predictions = zip(_of_batch(predictor, named, num_top), truths, strict=True)
        yield (Prediction(row._replace(truth=truth), image) for (row, image), truth in predictions)


def _of_batch(predictor: Predictor, batch: Sequence[tuple[str, Loaded]], num_top: int) -> Batch:
    pixels = [image for _, image in batch if not isinstance(image, str)]
    fields: Iterator[dict[str, Any]] = iter(())
    if pixels:
        predictions = predictor(np.stack(pixels))
        fields = rows.of_images(predictions.predicted, predictions.probabilities, predictor.classes, num_top)
    for path, image in batch:
        if isinstance(image, str):
            yield Prediction(Row(path, error=image), None)
        else:
            yield Prediction(Row(path, **next(fields)), image)


def _ahead(
    executor: concurrent.futures.Executor, function: Callable[[Item], Result], items: Iterable[Item], limit: int
) -> Iterator[Result]:
    """The results of calls, in order; at most `limit` are computed and not taken yet."""
    waiting: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
    for item in items:
        waiting.append(executor.submit(function, item))
        if len(waiting) >= limit:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
