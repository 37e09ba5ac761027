"""Prepare a data set for reading: download, local archive or generated.

    python -m pipeline.prepare                                               # CIFAR-100 from its host
    python -m pipeline.prepare --archive=~/Downloads/cifar-100-python.tar.gz # ... or from your disk
    dataset=$(python -m pipeline.prepare --dataset=auto)                     # ... or else the generated shapes100

The only line on stdout is the name of the data set that is now prepared; everything else goes to stderr. TensorFlow is
imported where there is something to write and not before, so that help, errors and "already prepared" come at once.
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
    """Prepare what the flags name."""
    source = config.build(SourceConfig, config.given_flags())
    print(prepare(source))


def prepare(source: SourceConfig, *, url: str = download.OFFICIAL_URL, spec: records.Spec = records.OFFICIAL) -> str:
    """Make sure that a data set is prepared.

    Args:
      source: which data set, where to, and the archive to take it from, if any.
      url: where CIFAR-100 is downloaded from, if it has to be.
      spec: what a whole CIFAR-100 looks like.

    Returns:
      The name of the prepared data set: `source.dataset`, or what `auto` came to be.

    Raises:
      errors.BadArgumentError: `source.archive` is no whole CIFAR-100, or `source.data_dir` cannot be written.
      errors.FailedError: the data could not be fetched or written.
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
        _say(f"the data set is {FALLBACK}, NOT {CIFAR100}")
        return FALLBACK


def run() -> None:
    """The console script."""
    config.define_flags(SourceConfig)
    app.run(main)


_REMEDY = (
    "get cifar-100-binary.tar.gz or cifar-100-python.tar.gz from where you can and give it with --archive=FILE "
    "(with make: ARCHIVE=FILE), "
    f"or use --dataset={FALLBACK}"
)


def _prepare_cifar100(source: SourceConfig, url: str, spec: records.Spec) -> None:
    if prepared.is_prepared(source.data_dir, CIFAR100):
        _compare_with_prepared(source, spec)
        return
    given = _read_given(source, spec) if source.archive else None
    with prepared.lock(source.data_dir):
        if prepared.is_prepared(source.data_dir, CIFAR100):
            _compare_with_prepared(source, spec)
            return
        with prepared.staging(source.data_dir) as staged:
            found = given or _download(url, staged, spec)
            origin = (
                {"how": "archive", "path": str(found.path.absolute())} if given else {"how": "download", "url": url}
            )
            _write_cifar100(found, staged, source.data_dir, {**origin, **_describe(found, spec)})


def _prepare_shapes(data_dir: str, dataset: str) -> None:
    if prepared.is_prepared(data_dir, dataset):
        _say(f"{dataset} is already prepared in {prepared.folder(data_dir, dataset)}")
        return
    with prepared.lock(data_dir):
        if prepared.is_prepared(data_dir, dataset):
            _say(f"{dataset} was prepared meanwhile in {prepared.folder(data_dir, dataset)}")
            return
        with prepared.staging(data_dir) as staged:
            _say(f"generating {dataset}")

            def build() -> Any:
                from pipeline.datasets.shapes100 import builder as shapes100

                builders = {"shapes100": shapes100.Shapes100, "shapes100_tiny": shapes100.Shapes100Tiny}
                return builders[dataset](data_dir=staged)

            _write(build, staged, data_dir, dataset, {"how": "generated"})


def _read_given(source: SourceConfig, spec: records.Spec) -> archive.Archive:
    given = f"--archive={source.archive}"
    _say(f"checking {source.archive}")
    return archive.read(source.archive, spec, given=given)


def _download(url: str, staged: pathlib.Path, spec: records.Spec) -> archive.Archive:
    target = staged / "cifar-100-binary.tar.gz.part"
    download.fetch(url, target, sha256=spec.sha256["cifar-100-binary.tar.gz"])
    try:
        return archive.read(target, spec, given=url)
    except errors.BadArgumentError as error:  # nobody gave it as an argument
        raise download.DownloadError(str(error)) from error


def _describe(found: archive.Archive, spec: records.Spec) -> dict[str, Any]:
    official = found.official_name(spec)
    checksum = f"sha256 {found.sha256}" if found.sha256 else "an extracted folder"
    verdict = (
        f"the official {official}"
        if official
        else "not byte for byte an official file; counts, labels, names and channel means are right"
    )
    _say(f"{found.form}, {checksum}: {verdict}")
    return {
        "form": found.form,
        "sha256": found.sha256,
        "official": official,
        "records_sha256": {"train": found.train.sha256, "test": found.test.sha256},
        "channel_means": found.statistics.means,
        "channel_deviations": found.statistics.deviations,
    }


def _write_cifar100(found: archive.Archive, staged: pathlib.Path, data_dir: str, provenance: dict[str, Any]) -> None:
    def build() -> Any:
        from pipeline.datasets import cifar100

        return cifar100.Cifar100(found, data_dir=staged)

    _write(build, staged, data_dir, CIFAR100, provenance)


def _write(
    build: Callable[[], Any], staged: pathlib.Path, data_dir: str, dataset: str, provenance: dict[str, Any]
) -> None:
    """Have TFDS write a data set into `staged`, and publish it."""
    app.load_tensorflow()
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    # TFDS announces the staging folder on stdout, which is neither the place nor the stream that readers should see.
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder = build()
            builder.download_and_prepare()
    except OSError as error:
        raise errors.FailedError(f"{dataset} cannot be written to {data_dir}: {error}") from error
    counts = {split: info.num_examples for split, info in builder.info.splits.items()}
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = {**provenance, "num_examples": counts, "tfds_version": tfds.__version__, "created": created}
    target = prepared.publish(staged, data_dir, dataset, record)
    _say(f"{dataset} is prepared in {target}: {counts['train']} train and {counts['test']} test images")


def _compare_with_prepared(source: SourceConfig, spec: records.Spec) -> None:
    """Say what is there and, with an archive given, whether it is the same data; it is never replaced."""
    folder = prepared.folder(source.data_dir, CIFAR100)
    recorded = prepared.provenance(source.data_dir, CIFAR100)
    origin = recorded.get("path") or recorded.get("url") or "an unrecorded source"
    _say(f"{CIFAR100} is already prepared in {folder} from {origin}")
    if not source.archive:
        return
    path = pathlib.Path(source.archive).expanduser()
    if path.is_file() and archive.sha256_of(path) == recorded.get("sha256"):
        return
    given = _read_given(source, spec)
    if {"train": given.train.sha256, "test": given.test.sha256} != recorded.get("records_sha256"):
        raise errors.BadArgumentError(
            f"--archive={source.archive}: holds other records than those prepared in {folder}, which stay as they are; "
            "remove that folder, or give another --data_dir"
        )
    _say(f"--archive={source.archive} is another file with the same records")


def _warn_of_fallback(reason: str) -> None:
    bar = "!" * 100
    lines = (
        f"CIFAR-100 IS NOT AVAILABLE: {reason}",
        f"Using {FALLBACK} instead: generated images, whose accuracies say NOTHING about CIFAR-100.",
        f"For CIFAR-100, {_REMEDY.partition(', or')[0]}.",
    )
    print("\n".join((bar, *(f"! {line}" for line in lines), bar)), file=sys.stderr, flush=True)


def _say(message: str) -> None:
    print(f"prepare: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run()
