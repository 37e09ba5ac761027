"""Small synthetic copies of CIFAR-100 and CIFAR-10, in every form."""

import dataclasses
import gzip
import hashlib
import io
import pathlib
import pickle
import tarfile
import zipfile

import numpy as np

from pipeline.datasets import canonical, prepared
from pipeline.datasets.cifar.spec import CIFAR10, CIFAR100, PIXELS, Form, Spec

SMALL, SMALL_CIFAR10 = (
    dataclasses.replace(spec, train_per_class=5, test_per_class=1, channel_means=(0.5, 0.5, 0.5), mean_tolerance=0.02)
    for spec in (CIFAR100, CIFAR10)
)
SMALL_SPECS = {spec.name: spec for spec in (SMALL, SMALL_CIFAR10)}


def rows(split: str, spec: Spec = SMALL) -> np.ndarray:
    """uint8[N, 3074 or 3073], noise, classes mixed."""
    generator = np.random.default_rng(split == "train")
    count = spec.num_records(split)
    fine = generator.permutation(np.arange(count) % len(spec.classes.fine)).astype(np.uint8)
    labels = {"fine": fine}
    if spec.classes.coarse:
        labels["coarse"] = np.array(spec.classes.fine_to_coarse, np.uint8)[fine]
    pixels = generator.integers(0, 256, (count, PIXELS), np.uint8)
    return np.concatenate([*(labels[level][:, None] for level in spec.levels), pixels], axis=1)


def parts(form: Form, spec: Spec = SMALL) -> dict[str, np.ndarray]:
    """The rows of each file of records."""
    return {
        name: part
        for split, names in form.splits.items()
        for name, part in zip(names, np.array_split(rows(split, spec), len(names)), strict=True)
    }


def binary_files(spec: Spec = SMALL) -> dict[str, bytes]:
    form = spec.forms[0]
    files = {name: part.tobytes() for name, part in parts(form, spec).items()}
    for name, (level,) in form.label_names.items():
        files[name] = "".join(f"{label}\n" for label in spec.classes.names[level]).encode() + b"\n"
    return files


def python_files(spec: Spec = SMALL, protocol: int = 2) -> dict[str, bytes]:
    """As Python 3 pickles them; `pickles.dump` writes what the official archive holds."""
    form = spec.forms[1]
    files = {name: pickle.dumps(as_fields(name, part, spec), protocol) for name, part in parts(form, spec).items()}
    names = {spec.field(level, "label_names"): list(names) for level, names in spec.classes.names.items()}
    return {next(iter(form.label_names)): pickle.dumps(names, protocol), **files}


def fields(split: str) -> dict[str, object]:
    return as_fields(split, rows(split))


def as_fields(name: str, table: np.ndarray, spec: Spec = SMALL) -> dict[str, object]:
    """What a pickle of the python form holds for records of the binary form."""
    return {
        "filenames": [f"image_s_{index:06d}.png" for index in range(len(table))],
        "batch_label": f"{name}: batch 1 of 1",
        **{spec.field(level, "labels"): table[:, column].tolist() for column, level in enumerate(spec.levels)},
        "data": np.ascontiguousarray(table[:, -PIXELS:]),
    }


def write_folder(path: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def tar_bytes(
    files: dict[str, bytes],
    folder: str,
    extra: tuple[tarfile.TarInfo, ...] = (),
    tar_format: int = tarfile.PAX_FORMAT,
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for member in extra:
            tar.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_bytes(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, attributes: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1) as packed:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = method, attributes
            packed.writestr(info, content, compresslevel=1)
    return buffer.getvalue()


def write_tar(
    path: pathlib.Path,
    files: dict[str, bytes],
    folder: str = "cifar-100-binary",
    extra: tuple[tarfile.TarInfo, ...] = (),
) -> pathlib.Path:
    path.write_bytes(gzip.compress(tar_bytes(files, folder, extra), compresslevel=1))
    return path


def check_prepared(data_dir: pathlib.Path, spec: Spec = SMALL) -> None:
    """Check that plain TFDS reads the records of `rows`, in the order of the SHA-256 of their pixels."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(spec.name, data_dir=str(data_dir))
    keys = canonical.FEATURES
    for level, names in spec.classes.names.items():
        assert tuple(builder.info.features[keys[level]].names) == names
    for split in ("train", "test"):
        images = {hashlib.sha256(pixels(row).tobytes()).digest(): row for row in rows(split, spec)}
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        assert len(examples) == spec.num_records(split)
        ids = [example["id"] for example in examples]
        assert ids == sorted(ids)
        for digest, example in zip(sorted(images), examples, strict=True):
            row = images[digest]
            assert [example.pop(keys[level]) for level in spec.levels] == row[:-PIXELS].tolist()
            assert (example.pop("image") == pixels(row)).all()
            assert list(example) == ["id"]


def shards(data_dir: str | pathlib.Path, name: str) -> dict[str, list[bytes]]:
    """The records of each shard of a prepared data set, with their features in one order.

    Protocol buffers write the features of a record in another order in each process.
    """
    import tensorflow as tf

    return {
        file.name: [
            tf.train.Example.FromString(record).SerializeToString(deterministic=True)
            for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        ]
        for file in prepared.folder(data_dir, name).glob("*.tfrecord*")
    }


def pixels(row: np.ndarray) -> np.ndarray:
    """uint8[32, 32, 3], the image of a row."""
    return row[-PIXELS:].reshape(3, 32, 32).transpose(1, 2, 0)
