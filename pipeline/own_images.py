"""Images of your own, of TFDS, or of a built-in data set at another size, as a prepared data set."""

import pathlib
from collections.abc import Iterable

from pipeline.common import app, errors
from pipeline.common.numbers import counted
from pipeline.data_config import SourceConfig
from pipeline.datasets import builtin, canonical, integrity, naming, prepared
from pipeline.datasets.conversion import convert, listing, preparation_report, tfds_folders
from pipeline.datasets.conversion.image_source import ImageSource, SourceFile
from pipeline.datasets.conversion.messages import log


def prepare(source: SourceConfig, on_bad_image: str, refresh: bool, may_download: bool) -> None:
    """Convert the images of `source` unless they are prepared; say what has changed since.

    A built-in data set must be prepared at its own size. Arguments and errors are as of `pipeline.prepare.prepare`.
    """
    name, data_dir = source.prepared_name, source.data_dir
    folder = prepared.folder(data_dir, name)
    is_done = prepared.is_prepared(data_dir, name)
    if is_done and not refresh:
        prepared.sweep(data_dir, name)
        integrity.check(folder)
        if on_bad_image == convert.FAIL:
            _check_none_left_out(source, folder)
        log(f"{source.shown_name} is already prepared in {folder}")
        _log_changes(source, folder)
        return
    prepared.check_writable(data_dir)
    if may_download and source.dataset.startswith(naming.TFDS):
        _download(source)
    convert.convert(
        _open(source),
        name,
        data_dir,
        dataset=source.shown_name,
        image_size=source.image_size,
        on_bad_image=on_bad_image,
        replace=is_done,
    )
    counts = prepared.description(data_dir, name).num_examples
    texts = [counted(count, f"{split} image") for split, count in counts.items()]
    log(f"{source.shown_name} is prepared in {folder}: {', '.join(texts)}")
    if is_done:
        log("runs on the images before can neither be continued nor validated")


def _check_none_left_out(source: SourceConfig, folder: pathlib.Path) -> None:
    """Raise errors.BadArgumentError if images were left out when the data set in a version folder was made."""
    report = preparation_report.read(folder)
    if report and (count := report["bad_images"]["count"]):
        name, reason = next(iter(report["bad_images"]["listed"].items()))
        raise errors.BadArgumentError(
            f"dataset={source.shown_name}: left out: {counted(count, 'image')}, such as {name}, which {reason}; "
            f"{folder / preparation_report.FILE} names them; remove them and set --refresh, or set "
            f"--on_bad_image={convert.SKIP}"
        )


def _log_changes(source: SourceConfig, folder: pathlib.Path) -> None:
    """Log how the files of `source` have changed since the data set in a version folder was made of them."""
    try:
        current = _files(source)
        changed = "" if current is None else listing.changes(folder, current)
    except errors.BadArgumentError as error:  # such as another layout of folders
        log(f"{source.shown_name} has changed since: {error}; --refresh prepares it again")
    else:
        if changed:
            log(f"{source.shown_name} has changed since, files: {changed}; --refresh prepares it again")


def _files(source: SourceConfig) -> Iterable[SourceFile] | None:
    """The files that a data set is made of; None where they are gone, and of a built-in data set."""
    if source.dataset.startswith(naming.FOLDER):
        return _open(source).files() if pathlib.Path(_path_of(source)).is_dir() else None
    if source.dataset in builtin.VERSIONS:
        return None
    try:
        return tfds_folders.files(tfds_folders.find(source.dataset.removeprefix(naming.TFDS), source.data_dir))
    except tfds_folders.NotFoundError:
        return None


def _download(source: SourceConfig) -> None:
    """Let TFDS download the data set of `tfds:` unless it is there."""
    given = source.dataset.removeprefix(naming.TFDS)
    try:
        tfds_folders.find(given, source.data_dir)
    except tfds_folders.NotFoundError:
        name = given.partition("/")[0].partition(":")[0]
        if name in builtin.VERSIONS:  # which would take the place of the project's own
            raise errors.BadArgumentError(
                f"dataset=tfds:{given}: --download is not for {name}; use --dataset={name}"
            ) from None
        app.load_tensorflow()
        from pipeline.datasets.conversion import tfds_download

        tfds_download.download(given, source.data_dir)


def _open(source: SourceConfig) -> ImageSource:
    if source.dataset.startswith(naming.FOLDER):
        from pipeline.datasets.conversion import folder_source

        finds_superclasses = source.superclasses == "auto"
        return folder_source.open_source(pathlib.Path(_path_of(source)), source.dataset, finds_superclasses)
    if source.dataset.startswith(naming.TFDS):  # what is missing is refused before the wait
        tfds_folders.find(source.dataset.removeprefix(naming.TFDS), source.data_dir)
    app.load_tensorflow()
    from pipeline.datasets.conversion import tfds_source

    if source.dataset in builtin.VERSIONS:
        coarse_key = canonical.FEATURES["coarse"] if builtin.describe(source.dataset).classes.coarse else ""
        return tfds_source.open_source(source.dataset, source.data_dir, coarse_key=coarse_key)
    given = source.dataset.removeprefix(naming.TFDS)
    return tfds_source.open_source(given, source.data_dir, fine_key=source.fine_key, coarse_key=source.coarse_key)


def _path_of(source: SourceConfig) -> str:
    return source.dataset.removeprefix(naming.FOLDER)
