"""Prepare a data set: download CIFAR-100, read a local archive, or generate shapes100.

    python -m pipeline.prepare                                               # CIFAR-100 from its host
    python -m pipeline.prepare --archive=~/Downloads/cifar-100-python.tar.gz # CIFAR-100 from a local file
    dataset=$(python -m pipeline.prepare --dataset=auto)                     # CIFAR-100 or, without it, shapes100

The only line on stdout is the name of the prepared data set; messages go to stderr.
"""

import contextlib
import datetime
import io
import pathlib
import sys
from typing import Any

from pipeline.common import app, config, errors
from pipeline.data_config import AUTO, SourceConfig
from pipeline.datasets import archive, download, prepared, records

CIFAR100 = "cifar100"
FALLBACK = "shapes100"


def main() -> None:
    """Prepare the data set of the flags, and print its name."""
    source = config.build(SourceConfig, config.given_flags())
    print(prepare(source))


def prepare(source: SourceConfig, *, url: str = download.OFFICIAL_URL, spec: records.Spec = records.OFFICIAL) -> str:
    """Prepare a data set unless it is prepared; return its name, `source.dataset` or the choice of `auto`.

    Raises:
      errors.BadArgumentError: `source.archive` is not a complete CIFAR-100, or `source.data_dir` cannot be written.
      errors.FailedError: the data could not be downloaded or written.
    """
    if source.archive and source.dataset not in (CIFAR100, AUTO):
        raise errors.BadArgumentError(
            f"--archive={source.archive}: --dataset={source.dataset} is generated; expected --dataset={CIFAR100}"
        )
    dataset = CIFAR100 if source.dataset == AUTO else source.dataset
    try:
        _prepare(source, dataset, url, spec)
        return dataset
    except download.DownloadError as error:
        if source.dataset != AUTO:
            raise download.DownloadError(f"{CIFAR100} cannot be downloaded: {error}; {_REMEDY}") from error
        _warn_of_fallback(str(error))
        _prepare(source, FALLBACK, url, spec)
        _log(f"the data set is {FALLBACK}, NOT {CIFAR100}")
        return FALLBACK


def run() -> None:
    """Run the console script."""
    config.define_flags(SourceConfig)
    app.run(main)


_REMEDY = (
    "download cifar-100-binary.tar.gz or cifar-100-python.tar.gz elsewhere and set --archive=FILE (with make: "
    f"ARCHIVE=FILE), or use --dataset={FALLBACK}"
)


def _prepare(source: SourceConfig, dataset: str, url: str, spec: records.Spec) -> None:
    if prepared.is_prepared(source.data_dir, dataset):
        _check_prepared(source, dataset, spec)
        return
    local = _read_archive(source, spec) if source.archive else None
    with prepared.lock(source.data_dir):
        if prepared.is_prepared(source.data_dir, dataset):  # by the previous holder of the lock
            _check_prepared(source, dataset, spec)
            return
        with prepared.staging(source.data_dir) as staged:
            if dataset == CIFAR100:
                data = local or _download(url, staged, spec)
                how = "archive" if local else "download"
                origin = {"path": str(data.path.absolute())} if local else {"url": url}
                _write(data, staged, source.data_dir, dataset, {"how": how, **origin, **_provenance(data, spec)})
            else:
                _log(f"generating {dataset}")
                _write(None, staged, source.data_dir, dataset, {"how": "generated"})


def _read_archive(source: SourceConfig, spec: records.Spec) -> archive.Archive:
    _log(f"checking {source.archive}")
    return archive.read(source.archive, spec, source=f"--archive={source.archive}")


def _download(url: str, staged: pathlib.Path, spec: records.Spec) -> archive.Archive:
    target = staged / "cifar-100-binary.tar.gz.part"
    download.fetch(url, target, sha256=spec.sha256["cifar-100-binary.tar.gz"])
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
        "records_sha256": {"train": data.train.sha256, "test": data.test.sha256},
        "channel_means": data.statistics.means,
        "channel_deviations": data.statistics.deviations,
    }


def _write(
    data: archive.Archive | None, staged: pathlib.Path, data_dir: str, dataset: str, provenance: dict[str, Any]
) -> None:
    """Write a data set with TFDS into `staged`, and publish it."""
    app.load_tensorflow()
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    # TFDS prints the staging folder on stdout.
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder = _builder(data, staged, dataset)
            builder.download_and_prepare()
    except OSError as error:
        raise errors.FailedError(f"{dataset} cannot be written to {data_dir}: {error}") from error
    counts = {split: info.num_examples for split, info in builder.info.splits.items()}
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    provenance |= {"num_examples": counts, "tfds_version": tfds.__version__, "created": created}
    target = prepared.publish(staged, data_dir, dataset, provenance)
    _log(f"{dataset} is prepared in {target}: {counts['train']} train and {counts['test']} test images")


def _builder(data: archive.Archive | None, staged: pathlib.Path, dataset: str) -> Any:
    """The TFDS builder of a data set: of CIFAR-100 from its archive, else of the generated data set."""
    if data is not None:
        from pipeline.datasets import cifar100

        return cifar100.Cifar100(data, data_dir=staged)
    from pipeline.datasets.shapes100 import builder

    return {"shapes100": builder.Shapes100, "shapes100_tiny": builder.Shapes100Tiny}[dataset](data_dir=staged)


def _check_prepared(source: SourceConfig, dataset: str, spec: records.Spec) -> None:
    """Log the folder of the prepared data set, and check that `source.archive` has the same records."""
    folder = prepared.folder(source.data_dir, dataset)
    recorded = prepared.provenance(source.data_dir, dataset)
    origin = recorded.get("path") or recorded.get("url") or recorded.get("how", "an unrecorded source")
    _log(f"{dataset} is already prepared in {folder} ({origin})")
    path = pathlib.Path(source.archive)
    if not source.archive or (path.is_file() and archive.sha256_of(path) == recorded.get("sha256")):
        return
    data = _read_archive(source, spec)
    if {"train": data.train.sha256, "test": data.test.sha256} != recorded.get("records_sha256"):
        raise errors.BadArgumentError(
            f"--archive={source.archive}: its records differ from those prepared in {folder}, which is never replaced; "
            "remove that folder, or choose another --data_dir"
        )
    _log(f"--archive={source.archive} is another file with the same records")


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
