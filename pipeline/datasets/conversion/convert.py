"""Converts a source of images into a data set in `data_dir`; an interrupted call is continued by the next one."""

import contextlib
import dataclasses
import datetime
import hashlib
import itertools
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import PIL

from pipeline.common import errors, files, locked_folder
from pipeline.datasets import canonical, digest_cache, prepared
from pipeline.datasets.conversion import first_pass, preparation_report, second_pass
from pipeline.datasets.conversion.arrangement import SPLITS, Arrangement, arrange
from pipeline.datasets.conversion.image_source import ImageSource
from pipeline.datasets.conversion.listing import Listing
from pipeline.datasets.conversion.messages import log
from pipeline.datasets.conversion.parts import num_finished
from pipeline.datasets.description import Classes, Description

FORMAT = 1  # of the part files; another one makes the parts of an earlier version useless
BAD_IMAGES = "bad_images.json"  # reasons by name
FAIL, SKIP = "fail", "skip"  # --on_bad_image


def convert(
    source: ImageSource,
    name: str,
    data_dir: str | os.PathLike[str],
    *,
    dataset: str,
    image_size: int = 0,
    on_bad_image: str = SKIP,
    replace: bool = False,
) -> pathlib.Path:
    """Convert a source into the data set `name` in `data_dir`, and return its version folder.

    Args:
      source: the images.
      name: of the data set's folder, which is TFDS's name of it.
      data_dir: the folder of prepared data sets.
      dataset: the data set's name in reports and errors, such as "folder:flowers".
      image_size: pixels each way; 0 as of `first_pass.run`.
      on_bad_image: whether to `skip` images that cannot be used or, after all of them were read, to `fail`.
      replace: replace the data set, if it is prepared already.

    Raises:
      errors.BadArgumentError: the source or an image in it is of no use, or nothing can be written to `data_dir`.
      errors.FailedError: a process, a write or a part file failed.
    """
    _check_classes(source.classes, dataset)
    prepared.check_writable(data_dir)
    root = prepared.root(data_dir)
    with files.writing("data_dir", root), prepared.lock(data_dir):
        prepared.recover(data_dir, name)
        if replace or not prepared.is_prepared(data_dir, name):  # perhaps by the previous holder of the lock
            for note in source.notes:
                log(note)
            listing = Listing.of(source.files())
            with _keeping_parts(data_dir, name):
                folder, parts = first_pass.run(
                    source, prepared.parts_folder(data_dir, name), _key(source, listing, image_size), image_size
                )
                arrangement = arrange(folder, parts, source.classes)
                _check_images(arrangement, dataset, on_bad_image)
                with prepared.staging(data_dir) as staged:
                    provenance = _write(arrangement, source, prepared.folder(staged, name), dataset)
                    listing.write(prepared.folder(staged, name))
                    prepared.publish(staged, data_dir, name, provenance, replace=replace)
        prepared.remove_parts(data_dir, name)
    return prepared.folder(data_dir, name)


@contextlib.contextmanager
def _keeping_parts(data_dir: str | os.PathLike[str], name: str) -> Iterator[None]:
    """A context at whose error the parts that are finished are kept, and a message names their folder."""
    try:
        yield
    except BaseException as error:
        folder = prepared.parts_folder(data_dir, name)
        locked_folder.sweep(folder)
        if num_finished(folder):
            is_refused = isinstance(error, errors.BadArgumentError)  # as the same command would be again
            log(f"what was read is kept in {folder}{'' if is_refused else '; run the same command again to continue'}")
        else:
            prepared.remove_parts(data_dir, name)
        raise


def _write(arrangement: Arrangement, source: ImageSource, folder: pathlib.Path, dataset: str) -> dict[str, Any]:
    """Write the data set to a version folder; its provenance."""
    classes = source.classes
    about = f"{dataset}, made by streaming-cifar100 of {source.origin}."
    histogram = second_pass.write(arrangement, classes, folder, about)
    orders = {split: arrangement.order(split) for split in SPLITS}
    splits = {split: arrangement.digests.take(order) for split, order in orders.items() if len(order)}
    fingerprints = canonical.Fingerprints.of(splits)
    means, deviations = histogram.means_and_deviations()
    num_examples = {split: len(records) for split, records in splits.items()}
    size = arrangement.folder.image_size
    description = Description(
        dataset, classes, size, num_examples, means, deviations, origin=source.origin, fingerprints=fingerprints
    )
    files.write_json(folder / prepared.DESCRIPTION, description.as_dict())
    report = preparation_report.make(arrangement, splits, classes, bool(source.splits.get("test")))
    preparation_report.write(folder, report)
    digest_cache.write(folder, splits)
    for line in preparation_report.lines(report):
        log(line)
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"how": source.origin, "fingerprints": fingerprints.as_dict(), "created": created}


def _key(source: ImageSource, listing: Listing, image_size: int) -> str:
    """SHA-256 of all that the part files depend on."""
    classes = dataclasses.astuple(source.classes)
    values = FORMAT, PIL.__version__, listing.digest, image_size, classes, dict(source.splits)
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _check_classes(classes: Classes, dataset: str) -> None:
    """Raise errors.BadArgumentError for class names that TFDS would not read as they are, and for too many classes."""
    if len(classes.fine) > 1 << canonical.LABEL_BITS:
        raise errors.BadArgumentError(
            f"dataset={dataset}: {len(classes.fine):,} classes; expected at most {1 << canonical.LABEL_BITS:,}"
        )
    for name in itertools.chain(*classes.names.values()):
        if not _is_line(name):
            raise errors.BadArgumentError(
                f"dataset={dataset}: the class {name!r} cannot be written as a line of a text file; rename it"
            )


def _is_line(name: str) -> bool:
    """Whether TFDS, which keeps label names as the lines of a file and strips them, reads the name as it is."""
    try:
        name.encode()
    except UnicodeEncodeError:  # of a folder whose name is not UTF-8
        return False
    return bool(name) and name == name.strip() and not {"\n", "\r"} & set(name)


def _check_images(arrangement: Arrangement, dataset: str, on_bad_image: str) -> None:
    """Raise errors.BadArgumentError where a split has no image, or, with `FAIL`, where an image cannot be used.

    A file among the parts names all images that cannot be used.
    """
    described = ""
    if bad := arrangement.bad_images:
        path = arrangement.folder.path / BAD_IMAGES
        files.write_json(path, bad)
        name, reason = next(iter(bad.items()))
        count, total = len(bad), len(arrangement.digests) + len(bad)
        described = f"{count:,} of {total:,} images cannot be used, such as {name}, which {reason}; {path} names all"
    if bad and on_bad_image == FAIL:
        raise errors.BadArgumentError(f"dataset={dataset}: {described}; remove them, or set --on_bad_image={SKIP}")
    official = {part.split for part in arrangement.parts} | {"train"}
    for split in (split for split in SPLITS if not len(arrangement.order(split))):
        bad_too = f"; {described}" if bad else ""
        if split in official:
            raise errors.BadArgumentError(f"dataset={dataset}: no image for {split}{bad_too}; expected at least one")
        if split == "test":
            raise errors.BadArgumentError(
                f"dataset={dataset}: no image for test, a fifth of train{bad_too}; expected 5 or more different images"
            )
