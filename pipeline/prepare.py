"""Prepare a data set: images of your own or of TFDS, a copy of CIFAR-100 or CIFAR-10 or a download, or shapes100.

    python -m pipeline.prepare                                               # CIFAR-100: Keras's copy, or downloaded
    python -m pipeline.prepare --archive=~/Downloads/cifar-100-python.tar.gz # CIFAR-100 from a local file
    python -m pipeline.prepare --dataset=folder:flowers --image_size=64      # your own images, in class folders
    python -m pipeline.prepare --dataset=tfds:beans                          # a data set that TFDS has prepared here
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

from pipeline import contents, own_images
from pipeline.common import app, config, errors, files, progress
from pipeline.data_config import AUTO, SourceConfig
from pipeline.datasets import builtin, download, integrity, naming, prepared
from pipeline.datasets.canonical import Digests, Example, Fingerprints
from pipeline.datasets.cifar import archive, keras_cache
from pipeline.datasets.cifar.spec import SPECS, Spec
from pipeline.datasets.conversion import convert
from pipeline.datasets.conversion.messages import log

FALLBACK = "shapes100"
Splits = Mapping[str, Iterable[Example]]

flags = app.Flags(SourceConfig)
ON_BAD_IMAGE = flags.DEFINE_enum(
    "on_bad_image",
    convert.SKIP,
    [convert.SKIP, convert.FAIL],
    "handling of unusable images of a folder: or tfds: data set: skip lists them in preparation.json, next to the "
    f"prepared data; fail ends with an error and lists them in {convert.BAD_IMAGES}",
)
REFRESH = flags.DEFINE_bool("refresh", False, "prepare a folder: or tfds: data set again, and replace the prepared one")
DOWNLOAD = flags.DEFINE_bool("download", False, "let TFDS download a tfds: data set that it has not prepared here")


def main() -> None:
    """Prepare the data set of the flags, and print its name."""
    source = config.build(SourceConfig, config.given_flags())
    if DOWNLOAD.value and not source.dataset.startswith(naming.TFDS):
        raise errors.BadArgumentError("download=True: only --dataset=tfds:NAME reads it; leave it out")
    if REFRESH.value and source.prepared_name in (*builtin.VERSIONS, AUTO):
        raise errors.BadArgumentError("refresh=True: only --dataset=folder:PATH and tfds:NAME read it; leave it out")
    own = {"on_bad_image": ON_BAD_IMAGE.value, "refresh": REFRESH.value, "may_download": DOWNLOAD.value}
    print(prepare(source, rewrite=True, **own))


def prepare(
    source: SourceConfig,
    *,
    rewrite: bool = False,
    on_bad_image: str = convert.SKIP,
    refresh: bool = False,
    may_download: bool = False,
    spec: Spec | None = None,
) -> str:
    """Prepare a data set unless it is prepared; return its name, `source.dataset` or the choice of `auto`.

    With `rewrite`, a data set that an earlier version wrote in the order of its files is put into canonical order. One
    made of images of your own is made again with `refresh`; `on_bad_image` is as of `convert`. With `may_download`,
    TFDS downloads one of `tfds:` that it does not find. `spec` is of a data set that has copies: by default the
    official one.

    Raises:
      errors.BadArgumentError: `source.archive` is not a complete copy of the data set, or `source.data_dir` cannot be
        written, or holds the data set in the order of its files and `rewrite` is False.
      errors.FailedError: the data could not be downloaded or written.
    """
    dataset = builtin.CIFAR100 if source.dataset == AUTO else source.dataset
    spec = spec or SPECS.get(dataset)
    if source.archive and spec is None:
        expected = " or ".join(f"--dataset={name}" for name in SPECS)
        raise errors.BadArgumentError(f"archive={source.archive}: --dataset={dataset} has none; expected {expected}")
    if source.prepared_name not in (*builtin.VERSIONS, AUTO):
        if source.dataset in builtin.VERSIONS:  # at another size than its own
            own_size = SourceConfig(dataset=source.dataset, data_dir=source.data_dir, archive=source.archive)
            prepare(own_size, spec=spec)
        own_images.prepare(source, on_bad_image, refresh, may_download)
        return source.dataset
    try:
        _prepare(source, dataset, rewrite, spec)
        return dataset
    except download.DownloadError as error:
        assert spec is not None  # nothing else is downloaded
        if source.dataset != AUTO:
            problem = f"{spec.name} cannot be downloaded: {error}; {_remedy(spec)}, or use --dataset={FALLBACK}"
            raise download.DownloadError(problem) from error
        _warn_of_fallback(str(error), spec)
        _prepare(source, FALLBACK, rewrite, None)
        log(f"the data set is {FALLBACK}, NOT {dataset}")
        return FALLBACK


def run() -> None:
    """Run the console script."""
    app.run(main, flags)


def _remedy(spec: Spec) -> str:
    return f"download {' or '.join(spec.sha256)} elsewhere and set --archive=FILE (with make: ARCHIVE=FILE)"


def _prepare(source: SourceConfig, dataset: str, rewrite: bool, spec: Spec | None) -> None:
    if not rewrite:
        prepared.check_order(source.data_dir, dataset)
    if _is_done(source, dataset):
        prepared.sweep(source.data_dir, dataset)
        _check_prepared(source, dataset, spec)
        return
    prepared.check_writable(source.data_dir)  # before the archive is read
    local = _local_copy(source, spec) if spec else None
    with files.writing("data_dir", prepared.root(source.data_dir)), prepared.lock(source.data_dir):
        prepared.recover(source.data_dir, dataset)
        if _is_done(source, dataset):  # by the previous holder of the lock
            _check_prepared(source, dataset, spec)
            return
        with prepared.staging(source.data_dir) as staged:
            if prepared.is_prepared(source.data_dir, dataset):
                _rewrite(staged, source.data_dir, dataset)
                _check_prepared(source, dataset, spec)
            elif spec:
                with _naming_download(source.data_dir):
                    data = local or _download(source.data_dir, spec)
                    how = "archive" if source.archive else "cache" if local else "download"
                    origin = {"path": str(data.path.absolute())} if local else {"url": spec.url}
                    provenance = {"how": how, **origin, **_provenance(data, spec)}
                    _write(data.splits(), staged, source.data_dir, dataset, provenance)
                    prepared.remove_download(source.data_dir)
            else:
                log(f"generating {dataset}")
                _write(None, staged, source.data_dir, dataset, {"how": "generated"})


def _is_done(source: SourceConfig, dataset: str) -> bool:
    is_prepared = prepared.is_prepared(source.data_dir, dataset)
    return is_prepared and not prepared.is_in_file_order(source.data_dir, dataset)


def _rewrite(staged: pathlib.Path, data_dir: str, dataset: str) -> None:
    """Write a prepared data set again, in canonical order."""
    folder = prepared.folder(data_dir, dataset)
    log(f"{dataset} in {folder} is in the order of its files; rewriting it in canonical order")
    app.load_tensorflow()
    recorded = {key: value for key, value in prepared.provenance(data_dir, dataset).items() if key != "records_sha256"}
    splits = {name: contents.examples(folder, name) for name in contents.splits_of(folder)}
    _write(splits, staged, data_dir, dataset, recorded)


def _local_copy(source: SourceConfig, spec: Spec) -> archive.Archive | None:
    """The copy that `source` names, otherwise Keras's unless the data set is prepared; None if there is none."""
    if source.archive:
        return _read_archive(source, spec)
    return None if prepared.is_prepared(source.data_dir, spec.name) else keras_cache.find(spec, log)


def _read_archive(source: SourceConfig, spec: Spec) -> archive.Archive:
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


def _download(data_dir: str, spec: Spec) -> archive.Archive:
    log(f"downloading {spec.url}")
    target = download.fetch(spec.url, prepared.download_folder(data_dir), sha256=next(iter(spec.sha256.values())))
    try:
        return archive.read(target, spec, source=spec.url)
    except errors.BadArgumentError as error:  # the download is not an argument of the command
        raise download.DownloadError(str(error)) from error


def _provenance(data: archive.Archive, spec: Spec) -> dict[str, Any]:
    official = data.official_name(spec)
    checksum = f"sha256 {data.sha256}" if data.sha256 else "not packed"
    unofficial = "not byte for byte an official file; counts, labels, names and channel means are correct"
    log(f"{data.form}, {checksum}: {f'the official {official}' if official else unofficial}")
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
    log(f"{dataset} is prepared in {target}: {counts['train']} train and {counts['test']} test images")


def _builder(splits: Splits | None, staged: pathlib.Path, dataset: str) -> Any:
    """The TFDS builder of a data set, which writes `splits` or generates them."""
    if dataset in SPECS:
        from pipeline.datasets.cifar.builder import BUILDERS

        assert splits is not None  # nobody can generate them
        return BUILDERS[dataset](splits, data_dir=staged)
    from pipeline.datasets.shapes100 import builder

    return {"shapes100": builder.Shapes100, "shapes100_tiny": builder.Shapes100Tiny}[dataset](splits, data_dir=staged)


def _check_prepared(source: SourceConfig, dataset: str, spec: Spec | None) -> None:
    """Log the folder of the prepared data set, and check that `source.archive` has the same records."""
    folder = prepared.folder(source.data_dir, dataset)
    integrity.check(folder)
    recorded = prepared.provenance(source.data_dir, dataset)
    origin = recorded.get("path") or recorded.get("url") or recorded.get("how", "an unrecorded source")
    log(f"{dataset} is already prepared in {folder} ({origin})")
    path = pathlib.Path(source.archive)
    if spec is None or not source.archive or (path.is_file() and archive.sha256_of(path) == recorded.get("sha256")):
        return
    app.load_tensorflow()
    digests = {name: Digests.of(examples) for name, examples in _read_archive(source, spec).splits().items()}
    if Fingerprints.of(digests).records != contents.fingerprints(folder).records:
        raise errors.BadArgumentError(
            f"archive={source.archive}: its records differ from those prepared in {folder}, which is never replaced; "
            "remove that folder, or choose another --data_dir"
        )
    log(f"{source.archive} is another file with the same records")


def _warn_of_fallback(reason: str, spec: Spec) -> None:
    bar = "!" * 100
    text = (
        f"{bar}\n! {spec.title} IS NOT AVAILABLE: {reason}\n"
        f"! Using {FALLBACK} instead: generated images, whose accuracies do NOT predict those on {spec.title}.\n"
        f"! For {spec.title}, {_remedy(spec)}.\n{bar}"
    )
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run()
