"""Small synthetic CIFAR-100s, in both official forms and in every broken state."""

import dataclasses
import gzip
import hashlib
import io
import pathlib
import pickle
import tarfile
import zipfile

import numpy as np

from pipeline.datasets import builtin, labels, records

SMALL = dataclasses.replace(
    records.OFFICIAL, train_per_class=5, test_per_class=1, channel_means=(0.5, 0.5, 0.5), mean_tolerance=0.02
)


def rows(split: str) -> np.ndarray:
    """uint8[N, 3074], noise, classes mixed."""
    generator = np.random.default_rng(split == "train")
    count = SMALL.num_rows(split)
    fine = generator.permutation(np.arange(count) % labels.NUM_FINE).astype(np.uint8)
    coarse = np.array(labels.FINE_TO_COARSE, np.uint8)[fine]
    pixels = generator.integers(0, 256, (count, records.PIXELS), np.uint8)
    return np.concatenate([coarse[:, None], fine[:, None], pixels], axis=1)


def binary_files() -> dict[str, bytes]:
    return {
        "train.bin": rows("train").tobytes(),
        "test.bin": rows("test").tobytes(),
        "fine_label_names.txt": "".join(f"{name}\n" for name in labels.FINE_NAMES).encode(),
        "coarse_label_names.txt": "\n".join(labels.COARSE_NAMES).encode() + b"\n\n",
    }


def python_files(protocol: int = 2) -> dict[str, bytes]:
    """As Python 3 pickles them; `pickles.dump` writes what the official archive holds."""
    names = {"fine_label_names": list(labels.FINE_NAMES), "coarse_label_names": list(labels.COARSE_NAMES)}
    files = {"meta": pickle.dumps(names, protocol)}
    for split in ("train", "test"):
        files[split] = pickle.dumps(fields(split), protocol)
    return files


def fields(split: str) -> dict[str, object]:
    return as_fields(split, rows(split))


def as_fields(split: str, table: np.ndarray) -> dict[str, object]:
    """What a pickle of the python form holds for records of the binary form."""
    return {
        "filenames": [f"image_s_{index:06d}.png" for index in range(len(table))],
        "batch_label": f"{split}ing batch 1 of 1",
        "fine_labels": table[:, 1].tolist(),
        "coarse_labels": table[:, 0].tolist(),
        "data": np.ascontiguousarray(table[:, 2:]),
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


def check_prepared(data_dir: pathlib.Path) -> None:
    """Check that plain TFDS reads the records of `rows`, in the order of the SHA-256 of their pixels."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("cifar100", data_dir=str(data_dir))
    assert str(builder.version) == builtin.VERSIONS["cifar100"]
    for split in ("train", "test"):
        images = {hashlib.sha256(pixels(row).tobytes()).digest(): row for row in rows(split)}
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        assert len(examples) == SMALL.num_rows(split)
        ids = [example["id"] for example in examples]
        assert ids == sorted(ids)
        for digest, example in zip(sorted(images), examples, strict=True):
            row = images[digest]
            assert (example["coarse_label"], example["label"]) == (row[0], row[1])
            assert (example["image"] == pixels(row)).all()


def pixels(row: np.ndarray) -> np.ndarray:
    """uint8[32, 32, 3], the image of a row."""
    return row[2:].reshape(3, 32, 32).transpose(1, 2, 0)
