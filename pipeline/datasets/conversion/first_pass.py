"""The first pass over a source: decodes, resizes and hashes its images into part files, in several processes."""

import collections
import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Generator, Sequence

import numpy as np

from pipeline.common import cpu, errors, files, progress
from pipeline.common.json_values import FLAG, SIZE, TEXT, required
from pipeline.common.process.worker_process import RemoteCallError, Worker, WorkerDiedError, wait
from pipeline.datasets import canonical, resizing
from pipeline.datasets.conversion import messages
from pipeline.datasets.conversion.image_source import ImageSource, Item
from pipeline.datasets.conversion.parts import Part, PartFolder, Records, cut
from pipeline.datasets.images import ImageError

OWN_SIZES = range(8, 225)  # pixels each way, in which images are kept where all of them are squares of one size
SIZE_OF_OTHERS = 64
RESIZED = "resized to {size} x {size} pixels"
_STATE = "state.json"
_SCHEMA = required({"key": TEXT, "image_size": SIZE, "is_own_size": FLAG})


@dataclasses.dataclass(frozen=True)
class State:
    """What the parts in a folder are of.

    Attributes:
      key: of the source and the options.
      image_size: pixels each way.
      is_own_size: whether all images have the size already, as far as they have been read.
    """

    key: str
    image_size: int
    is_own_size: bool

    @classmethod
    def read(cls, folder: pathlib.Path) -> "State | None":
        """The state of the parts in a folder; None where there is none, or a damaged one."""
        with contextlib.suppress(errors.DamagedError):
            values = files.read_json(folder / _STATE, str(folder), "", schema=_SCHEMA)
            return cls(**values) if values else None
        return None

    def begin(self, folder: pathlib.Path) -> None:
        """Empty the folder, and write the state."""
        if folder.exists():
            shutil.rmtree(folder)  # parts that stay would be taken for those of this state
        files.make_folder(folder)
        files.write_json(folder / _STATE, dataclasses.asdict(self))


def run(source: ImageSource, folder: pathlib.Path, key: str, image_size: int) -> tuple[PartFolder, list[Part]]:
    """Bring the part files of a source in a folder to completion, and return them.

    Parts of an earlier call are kept if they have the same `key`, which identifies source and options. An `image_size`
    of 0 stands for the images' own size, if they are squares of one size in OWN_SIZES, and otherwise SIZE_OF_OTHERS.

    Raises:
      errors.FailedError: a process died, or its work failed.
      errors.WriteError: a part cannot be written.
    """
    state = State.read(folder)
    if state is None or state.key != key:
        if folder.exists():
            messages.log(f"{folder} is of other files or options, and is removed")
        own = _own_size(source) if not image_size else None
        state = State(key, image_size or own or SIZE_OF_OTHERS, is_own_size=own is not None)
        state.begin(folder)
    while True:
        part_folder = PartFolder(folder, state.image_size)
        parts = cut(source.splits, state.image_size, source.item_bytes)
        other = _complete(source, part_folder, parts, state.is_own_size)
        if not other:
            return part_folder, parts
        size = state.image_size
        messages.log(f"{other} is not of {size} x {size} pixels, as other images are: all become {SIZE_OF_OTHERS}")
        state = State(key, SIZE_OF_OTHERS, is_own_size=False)
        state.begin(folder)


def _own_size(source: ImageSource) -> int | None:
    """The size of the first image that can be used; None where it cannot be the size of all."""
    for split, count in source.splits.items():
        for item in source.items(split, 0, count):
            with contextlib.suppress(ImageError):
                height, width, _ = item.load().pixels.shape
                return height if height == width and height in OWN_SIZES else None
    return None


def _complete(source: ImageSource, folder: PartFolder, parts: list[Part], is_own_size: bool) -> str:
    """Write the parts that are not finished; "" or the name of an image whose size is not the own size of all."""
    is_finished = [folder.read(part) is not None for part in parts]
    unfinished = [part for part, finished in zip(parts, is_finished, strict=True) if not finished]
    total, left = sum(map(len, parts)), sum(map(len, unfinished))
    if left < total:
        messages.log(f"continuing: {total - left:,} of {total:,} images are read")
    outcomes = _in_processes(source, folder, unfinished, is_own_size)
    with contextlib.closing(outcomes), progress.task("reading and resizing the images", left, "images") as task:
        for part, other in outcomes:
            if other:
                return other
            task.advance(len(part))
    return ""


def _in_processes(
    source: ImageSource, folder: PartFolder, parts: list[Part], is_own_size: bool
) -> Generator[tuple[Part, str], None, None]:
    """The parts, as they are finished, and what `_write_part` has returned."""
    waiting = parts[::-1]
    under_way: dict[Worker, Part] = {}
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Worker(threads=1)) for _ in range(min(cpu.count(), len(parts)))]
        while waiting or under_way:
            while waiting and idle:
                worker, part = idle.pop(), waiting.pop()
                items = list(source.items(part.split, part.begin, part.end))
                worker.submit(_write_part, folder, part, items, is_own_size)
                under_way[worker] = part
            for worker in wait(under_way):
                part = under_way.pop(worker)
                idle.append(worker)
                yield part, _result(worker, part)


def _result(worker: Worker, part: Part) -> str:
    try:
        return worker.result()
    except RemoteCallError as error:
        kind = getattr(errors, error.type_name, errors.FailedError)
        raise kind(str(error)) from RuntimeError(error.trace)
    except WorkerDiedError as error:
        where = f"reading the images {part.begin} to {part.end - 1} of {part.split}"
        raise errors.FailedError(f"{where}: {error}; run the same command again to continue") from error


def _write_part(folder: PartFolder, part: Part, items: Sequence[Item], is_own_size: bool) -> str:
    """Write a part; "" or the name of an image whose size is not the own size of all, and nothing is written."""
    size = folder.image_size
    images, digests = np.empty((len(part), size, size, 3), np.uint8), bytearray()
    names: list[str] = []
    fine: list[int] = []
    conversions: collections.Counter[str] = collections.Counter()
    bad_images = {}
    for item in items:
        try:
            decoded = item.load()
        except ImageError as error:
            bad_images[item.name] = str(error)
            continue
        except MemoryError as error:
            raise errors.FailedError(f"{item.name}: out of memory while it was decoded") from error
        is_resized = decoded.pixels.shape != images.shape[1:]
        if is_resized and is_own_size:
            return item.name
        images[len(names)] = image = resizing.resize(decoded.pixels, size)
        digests += canonical.digest(image)
        conversions.update(decoded.conversions + (RESIZED.format(size=size),) * is_resized)
        names.append(item.name)
        fine.append(item.fine)
    if len(names) + len(bad_images) != len(part):
        raise errors.FailedError(f"{part.split} has changed while it was read; run the same command again")
    pixels = np.frombuffer(bytes(digests), np.uint8).reshape(-1, canonical.DIGEST_BYTES)
    labels = np.array(fine, np.int32)
    order = canonical.Digests(pixels, labels, np.zeros_like(labels)).order()
    records = Records(pixels[order], labels[order], [names[place] for place in order], conversions, bad_images)
    with files.writing("data_dir", folder.path.parents[1]):
        folder.write(part, images[: len(names)][order], records)
    return ""
