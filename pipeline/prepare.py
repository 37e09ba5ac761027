"""Prepare a data set: download CIFAR-100, read a local archive, or generate shapes100.

    python -m pipeline.prepare                                               # CIFAR-100, downloaded
    python -m pipeline.prepare --archive=~/Downloads/cifar-100-python.tar.gz # CIFAR-100 from a local file
    dataset=$(python -m pipeline.prepare --dataset=auto)                     # CIFAR-100, otherwise shapes100

The only line on stdout is the name of the prepared data set; messages go to stderr.
"""

import contextlib
import dataclasses
import datetime
import io
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline import contents
from pipeline.common import app, config, errors, files, progress
from pipeline.data_config import AUTO, SourceConfig
from pipeline.datasets import archive, download, integrity, prepared, records
from pipeline.datasets.canonical import Digests, Example, Fingerprints

CIFAR100 = "cifar100"
FALLBACK = "shapes100"
Splits = Mapping[str, Iterable[Example]]

flags = app.Flags(SourceConfig)


def main() -> None:
    """Prepare the data set of the flags, and print its name."""
    source = config.build(SourceConfig, config.given_flags())
    print(prepare(source, rewrite=True))


def prepare(
    source: SourceConfig,
    *,
    rewrite: bool = False,
    url: str = download.OFFICIAL_URL,
    spec: records.Spec = records.OFFICIAL,
) -> str:
    """Prepare a data set unless it is prepared; return its name, `source.dataset` or the choice of `auto`.

    With `rewrite`, a data set that an earlier version wrote in the order of its files is put into canonical order.

    Raises:
      errors.BadArgumentError: `source.archive` is not a complete CIFAR-100, or `source.data_dir` cannot be written, or
        holds the data set in the order of its files and `rewrite` is False.
      errors.FailedError: the data could not be downloaded or written.
    """
    if source.archive and source.dataset not in (CIFAR100, AUTO):
        raise errors.BadArgumentError(
            f"archive={source.archive}: --dataset={source.dataset} is generated; expected --dataset={CIFAR100}"
        )
    dataset = CIFAR100 if source.dataset == AUTO else source.dataset
    try:
        _prepare(source, dataset, rewrite, url, spec)
        return dataset
    except download.DownloadError as error:
        if source.dataset != AUTO:
            raise download.DownloadError(f"{CIFAR100} cannot be downloaded: {error}; {_REMEDY}") from error
        _warn_of_fallback(str(error))
        _prepare(source, FALLBACK, rewrite, url, spec)
        _log(f"the data set is {FALLBACK}, NOT {CIFAR100}")
        return FALLBACK


def run() -> None:
    """Run the console script."""
    app.run(main, flags)


_REMEDY = (
    "download cifar-100-binary.tar.gz or cifar-100-python.tar.gz elsewhere and set --archive=FILE (with make: "
    f"ARCHIVE=FILE), or use --dataset={FALLBACK}"
)


def _prepare(source: SourceConfig, dataset: str, rewrite: bool, url: str, spec: records.Spec) -> None:
    if not rewrite:
        prepared.check_order(source.data_dir, dataset)
    if _is_done(source, dataset):
        prepared.sweep(source.data_dir, dataset)
        _check_prepared(source, dataset, spec)
        return
    prepared.check_writable(source.data_dir)  # before the archive is read
    local = _read_archive(source, spec) if source.archive else None
    with files.writing("data_dir", prepared.root(source.data_dir)), prepared.lock(source.data_dir):
        prepared.recover(source.data_dir, dataset)
        if _is_done(source, dataset):  # by the previous holder of the lock
            _check_prepared(source, dataset, spec)
            return
        with prepared.staging(source.data_dir) as staged:
            if prepared.is_prepared(source.data_dir, dataset):
                _rewrite(staged, source.data_dir, dataset)
                _check_prepared(source, dataset, spec)
            elif dataset == CIFAR100:
                with _naming_download(source.data_dir):
                    data = local or _download(url, source.data_dir, spec)
                    how = "archive" if local else "download"
                    origin = {"path": str(data.path.absolute())} if local else {"url": url}
                    provenance = {"how": how, **origin, **_provenance(data, spec)}
                    _write(data.splits(), staged, source.data_dir, dataset, provenance)
                    prepared.remove_download(source.data_dir)
            else:
                _log(f"generating {dataset}")
                _write(None, staged, source.data_dir, dataset, {"how": "generated"})


def _is_done(source: SourceConfig, dataset: str) -> bool:
    is_prepared = prepared.is_prepared(source.data_dir, dataset)
    return is_prepared and not prepared.is_in_file_order(source.data_dir, dataset)


def _rewrite(staged: pathlib.Path, data_dir: str, dataset: str) -> None:
    """Write a prepared data set again, in canonical order."""
    folder = prepared.folder(data_dir, dataset)
    _log(f"{dataset} in {folder} is in the order of its files; rewriting it in canonical order")
    app.load_tensorflow()
    recorded = {key: value for key, value in prepared.provenance(data_dir, dataset).items() if key != "records_sha256"}
    splits = {name: contents.examples(folder, name) for name in contents.SPLITS}
    _write(splits, staged, data_dir, dataset, recorded)


def _read_archive(source: SourceConfig, spec: records.Spec) -> archive.Archive:
    with progress.task(f"checking {source.archive}"):
        return archive.read(source.archive, spec, source=f"archive={source.archive}")


@contextlib.contextmanager
def _naming_download(data_dir: str) -> Iterator[None]:
    """A context at whose interruption the folder of the download is named."""
    try:
        yield
    except KeyboardInterrupt as error:
        if kept := download.kept(prepared.download_folder(data_dir)):
            raise errors.InterruptedRunError(f"interrupted{kept}") from error
        raise


def _download(url: str, data_dir: str, spec: records.Spec) -> archive.Archive:
    _log(f"downloading {url}")
    folder = prepared.download_folder(data_dir)
    target = download.fetch(url, folder, sha256=spec.sha256["cifar-100-binary.tar.gz"])
    try:
        return archive.read(target, spec, source=url)
    except errors.BadArgumentError as error:  # the download is not an argument of the command
        raise download.DownloadError(str(error)) from error


def _provenance(data: archive.Archive, spec: records.Spec) -> dict[str, Any]:
    official = data.official_name(spec)
    checksum = f"sha256 {data.sha256}" if data.sha256 else "an extracted folder"
    unofficial = "not byte for byte an official file; counts, labels, names and channel means are correct"
    _log(f"{data.form}, {checksum}: {f'the official {official}' if official else unofficial}")
    return {
        "form": data.form,
        "sha256": data.sha256,
        "official": official,
        "channel_means": data.statistics.means,
        "channel_deviations": data.statistics.deviations,
    }


def _write(
    splits: Splits | None, staged: pathlib.Path, data_dir: str, dataset: str, provenance: dict[str, Any]
) -> None:
    """Write a data set with TFDS into `staged`, and publish it; without `splits` it is generated."""
    app.load_tensorflow()
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    # TFDS prints the staging folder on stdout.
    with contextlib.redirect_stdout(io.StringIO()), progress.task(f"writing {dataset}"):
        builder = _builder(splits, staged, dataset)
        builder.download_and_prepare()
    counts = {split: info.num_examples for split, info in builder.info.splits.items()}
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    fingerprints = contents.fingerprints(prepared.folder(staged, dataset))
    provenance |= {"fingerprints": dataclasses.asdict(fingerprints), "num_examples": counts}
    provenance |= {"tfds_version": tfds.__version__, "created": created}
    target = prepared.publish(staged, data_dir, dataset, provenance)
    _log(f"{dataset} is prepared in {target}: {counts['train']} train and {counts['test']} test images")


def _builder(splits: Splits | None, staged: pathlib.Path, dataset: str) -> Any:
    """The TFDS builder of a data set, which writes `splits` or generates them."""
    if dataset == CIFAR100:
        from pipeline.datasets import cifar100

        assert splits is not None  # nobody can generate them
        return cifar100.Cifar100(splits, data_dir=staged)
    from pipeline.datasets.shapes100 import builder

    return {"shapes100": builder.Shapes100, "shapes100_tiny": builder.Shapes100Tiny}[dataset](splits, data_dir=staged)


def _check_prepared(source: SourceConfig, dataset: str, spec: records.Spec) -> None:
    """Log the folder of the prepared data set, and check that `source.archive` has the same records."""
    folder = prepared.folder(source.data_dir, dataset)
    integrity.check(folder)
    recorded = prepared.provenance(source.data_dir, dataset)
    origin = recorded.get("path") or recorded.get("url") or recorded.get("how", "an unrecorded source")
    _log(f"{dataset} is already prepared in {folder} ({origin})")
    path = pathlib.Path(source.archive)
    if not source.archive or (path.is_file() and archive.sha256_of(path) == recorded.get("sha256")):
        return
    app.load_tensorflow()
    digests = {name: Digests.of(examples) for name, examples in _read_archive(source, spec).splits().items()}
    if Fingerprints.of(digests).records != contents.fingerprints(folder).records:
        raise errors.BadArgumentError(
            f"archive={source.archive}: its records differ from those prepared in {folder}, which is never replaced; "
            "remove that folder, or choose another --data_dir"
        )
    _log(f"{source.archive} is another file with the same records")


def _warn_of_fallback(reason: str) -> None:
    bar = "!" * 100
    text = (
        f"{bar}\n! CIFAR-100 IS NOT AVAILABLE: {reason}\n"
        f"! Using {FALLBACK} instead: generated images, whose accuracies do NOT predict those on CIFAR-100.\n"
        f"! For CIFAR-100, {_REMEDY.partition(', or')[0]}.\n{bar}"
    )
    print(text, file=sys.stderr, flush=True)


def _log(message: str) -> None:
    print(f"prepare: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run()
