"""Prepare a data set for reading: download, local archive or generated.

    python -m pipeline.prepare                                               # CIFAR-100 from its host
    python -m pipeline.prepare --archive=~/Downloads/cifar-100-python.tar.gz # ... or from your disk
    dataset=$(python -m pipeline.prepare --dataset=auto)                     # ... or else the generated shapes100

The only line on stdout is the name of the prepared data set; all else goes to stderr. TensorFlow is imported only
where there is something to write, so that help, errors and "already prepared" come at once.
"""

import contextlib
import datetime
import io
import pathlib
import sys
from collections.abc import Callable
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
    """Prepare a data set where it is not prepared already.

    Args:
      source: the data set, its folder, and the archive to read, if any.
      url: the download of CIFAR-100.
      spec: the expected contents of CIFAR-100.

    Returns:
      The name of the prepared data set: `source.dataset`, or the choice of `auto`.

    Raises:
      errors.BadArgumentError: `source.archive` is no complete CIFAR-100, or `source.data_dir` cannot be written.
      errors.FailedError: the data could not be downloaded or written.
    """
    if source.dataset not in (CIFAR100, AUTO):
        if source.archive:
            raise errors.BadArgumentError(
                f"--archive={source.archive}: --dataset={source.dataset} is generated; expected --dataset={CIFAR100}"
            )
        _prepare_shapes(source.data_dir, source.dataset)
        return source.dataset
    try:
        _prepare_cifar100(source, url, spec)
        return CIFAR100
    except download.DownloadError as error:
        if source.dataset != AUTO:
            raise download.DownloadError(f"{CIFAR100} cannot be downloaded: {error}; {_REMEDY}") from error
        _warn_of_fallback(str(error))
        _prepare_shapes(source.data_dir, FALLBACK)
        _log(f"the data set is {FALLBACK}, NOT {CIFAR100}")
        return FALLBACK


def run() -> None:
    """The console script."""
    config.define_flags(SourceConfig)
    app.run(main)


_REMEDY = (
    "download cifar-100-binary.tar.gz or cifar-100-python.tar.gz elsewhere and set --archive=FILE (with make: "
    f"ARCHIVE=FILE), or use --dataset={FALLBACK}"
)


def _prepare_cifar100(source: SourceConfig, url: str, spec: records.Spec) -> None:
    if prepared.is_prepared(source.data_dir, CIFAR100):
        _compare_with_prepared(source, spec)
        return
    local = _read_archive(source, spec) if source.archive else None

    def build(staged: pathlib.Path) -> Any:
        from pipeline.datasets import cifar100

        return cifar100.Cifar100(data, data_dir=staged)

    with prepared.lock(source.data_dir):
        if prepared.is_prepared(source.data_dir, CIFAR100):
            _compare_with_prepared(source, spec)
            return
        with prepared.staging(source.data_dir) as staged:
            data = local or _download(url, staged, spec)
            origin = {"how": "archive", "path": str(data.path.absolute())} if local else {"how": "download", "url": url}
            _write(build, staged, source.data_dir, CIFAR100, {**origin, **_provenance(data, spec)})


def _prepare_shapes(data_dir: str, dataset: str) -> None:
    def build(staged: pathlib.Path) -> Any:
        from pipeline.datasets.shapes100 import builder as shapes100

        builders = {"shapes100": shapes100.Shapes100, "shapes100_tiny": shapes100.Shapes100Tiny}
        return builders[dataset](data_dir=staged)

    if prepared.is_prepared(data_dir, dataset):
        _log(f"{dataset} is already prepared in {prepared.folder(data_dir, dataset)}")
        return
    with prepared.lock(data_dir), prepared.staging(data_dir) as staged:
        if not prepared.is_prepared(data_dir, dataset):  # by another process, while this one waited
            _log(f"generating {dataset}")
            _write(build, staged, data_dir, dataset, {"how": "generated"})


def _read_archive(source: SourceConfig, spec: records.Spec) -> archive.Archive:
    _log(f"checking {source.archive}")
    return archive.read(source.archive, spec, source=f"--archive={source.archive}")


def _download(url: str, staged: pathlib.Path, spec: records.Spec) -> archive.Archive:
    target = staged / "cifar-100-binary.tar.gz.part"
    download.fetch(url, target, sha256=spec.sha256["cifar-100-binary.tar.gz"])
    try:
        return archive.read(target, spec, source=url)
    except errors.BadArgumentError as error:  # it is no argument of the command
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
    build: Callable[[pathlib.Path], Any],
    staged: pathlib.Path,
    data_dir: str,
    dataset: str,
    provenance: dict[str, Any],
) -> None:
    """Write a data set with TFDS into `staged`, and publish it."""
    app.load_tensorflow()
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    # TFDS prints the staging folder on stdout.
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder = build(staged)
            builder.download_and_prepare()
    except OSError as error:
        raise errors.FailedError(f"{dataset} cannot be written to {data_dir}: {error}") from error
    counts = {split: info.num_examples for split, info in builder.info.splits.items()}
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = {**provenance, "num_examples": counts, "tfds_version": tfds.__version__, "created": created}
    target = prepared.publish(staged, data_dir, dataset, record)
    _log(f"{dataset} is prepared in {target}: {counts['train']} train and {counts['test']} test images")


def _compare_with_prepared(source: SourceConfig, spec: records.Spec) -> None:
    """Log the prepared data set, and check that the archive, if any, has the same records."""
    folder = prepared.folder(source.data_dir, CIFAR100)
    recorded = prepared.provenance(source.data_dir, CIFAR100)
    origin = recorded.get("path") or recorded.get("url") or "an unrecorded source"
    _log(f"{CIFAR100} is already prepared in {folder} from {origin}")
    if not source.archive:
        return
    path = pathlib.Path(source.archive).expanduser()
    if path.is_file() and archive.sha256_of(path) == recorded.get("sha256"):
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
    lines = (
        f"CIFAR-100 IS NOT AVAILABLE: {reason}",
        f"Using {FALLBACK} instead: generated images, whose accuracies do NOT predict those on CIFAR-100.",
        f"For CIFAR-100, {_REMEDY.partition(', or')[0]}.",
    )
    print("\n".join((bar, *(f"! {line}" for line in lines), bar)), file=sys.stderr, flush=True)


def _log(message: str) -> None:
    print(f"prepare: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run()
