import dataclasses
import gzip
import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from pipeline.common import errors
from pipeline.datasets import labels
from pipeline.datasets.cifar import archive, records
from pipeline.datasets.cifar.spec import CIFAR100
from tests.pipeline.datasets import archives, pickles
from tests.pipeline.datasets.archives import SMALL


def read(path, spec=SMALL):
    return archive.read(path, spec, source="archive=X")


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def python2_files(spec):
    parts = archives.parts(spec.forms[1], spec).items()
    return {name: pickles.dump(archives.as_fields(name, part, spec), 2, writer="python 2") for name, part in parts}


FORMS = {
    "binary": (0, archives.binary_files),
    "python 3": (1, archives.python_files),
    "python 3, protocol 5": (1, lambda spec: archives.python_files(spec, protocol=5)),
    "python 2": (1, python2_files),
}
PACKINGS = {
    "tar.gz": lambda path, files, folder: archives.write_tar(path, files, folder),
    "tar": lambda path, files, folder: path.write_bytes(archives.tar_bytes(files, folder)),
    "dotted tar.gz": lambda path, files, folder: archives.write_tar(path, files, f"./{folder}"),
    "tar.gz without top folder": lambda path, files, folder: archives.write_tar(path, files, ""),
    "zip of macOS": lambda path, files, folder: path.write_bytes(archives.zip_bytes(of_macos(files))),
    "folder": lambda path, files, folder: archives.write_folder(path, files),
    "folder of macOS": lambda path, files, folder: archives.write_folder(path, of_macos(files)),
    "root of torchvision": lambda path, files, folder: write_root(path, files, folder),
}


def of_macos(files):
    return {**{f"._{name}": b"\0\5\x16\7" for name in files}, ".DS_Store": b"x", **files}


def write_root(path, files, folder):
    """A folder that torchvision downloads into: each data set, extracted and packed."""
    for spec in archives.SMALL_SPECS.values():
        archives.write_folder(path / spec.forms[1].name, archives.python_files(spec))
        (path / f"{spec.forms[1].name}.tar.gz").write_bytes(b"packed")
    if not (path / folder).exists():
        archives.write_folder(path / folder, files)


@pytest.mark.parametrize("dataset", archives.SMALL_SPECS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_every_form_and_packing_gives_the_same_records(dataset, form, packing, tmp_path):
    spec = archives.SMALL_SPECS[dataset]
    index, make_files = FORMS[form]
    folder, path = spec.forms[index].name, tmp_path / "data"  # without a suffix, as Keras names it
    PACKINGS[packing](path, make_files(spec), folder)
    result = read(path, spec)
    assert result.form == folder
    np.testing.assert_array_equal(result.train.rows, archives.rows("train", spec))
    np.testing.assert_array_equal(result.test.rows, archives.rows("test", spec))
    assert result.sha256 == (None if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("spec", archives.SMALL_SPECS.values(), ids=archives.SMALL_SPECS)
def test_examples_are_images_and_labels(spec):
    rows = archives.rows("test", spec)
    for row, (image, fine, coarse) in zip(rows, records.Records(rows).examples(), strict=True):
        np.testing.assert_array_equal(image, archives.pixels(row))
        assert fine == row[-archives.PIXELS - 1]
        assert coarse == (spec.classes.fine_to_coarse[fine] if spec.classes.coarse else 0)


def test_statistics_are_those_of_the_pixels(tmp_path):
    result = read(archives.write_folder(tmp_path / "data", archives.binary_files()))
    pixels = archives.rows("train")[:, -archives.PIXELS :].reshape(-1, 3, 1024) / 255
    np.testing.assert_allclose(result.statistics.means, pixels.mean(axis=(0, 2)), rtol=1e-12)
    np.testing.assert_allclose(result.statistics.deviations, pixels.std(axis=(0, 2)), rtol=1e-12)


def test_an_official_checksum_is_named(tmp_path):
    path = archives.write_tar(tmp_path / "a.tar.gz", archives.binary_files())
    assert read(path).official_name(SMALL) is None
    official = dataclasses.replace(SMALL, sha256={"the-official.tar.gz": hashlib.sha256(path.read_bytes()).hexdigest()})
    assert read(path).official_name(official) == "the-official.tar.gz"


def test_official_records_are_named_in_any_packing(tmp_path):
    folder = archives.write_folder(tmp_path / "data", archives.python_files())
    digests = {f"{split}.bin": hashlib.sha1(archives.rows(split).tobytes()).hexdigest() for split in ("train", "test")}
    assert read(folder).official_name(dataclasses.replace(SMALL, records_sha1=digests)) == "records of cifar-100-binary"


def bad_archives(path):
    """name -> (writer of a bad file or folder at `path`, part of the error)."""
    good = archives.binary_files()
    packed = gzip.compress(archives.tar_bytes(good, "cifar-100-binary"), compresslevel=1)

    def tar_with(*extra):
        return lambda: archives.write_tar(path, good, extra=extra)

    def bomb():
        member, zeros = tarfile.TarInfo("padding"), io.BytesIO(bytes(64 << 20))
        member.size = 64 << 20
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            tar.addfile(member, zeros)

    return {
        "missing": (lambda: None, "no such file or folder"),
        "empty file": (lambda: path.write_bytes(b""), "is an empty file"),
        "text": (lambda: path.write_text("hello " * 500), "is not a tar or ZIP archive"),
        "gzip of text": (lambda: path.write_bytes(gzip.compress(b"hello " * 500)), "is not a tar or ZIP archive"),
        "pipe": (lambda: os.mkfifo(path), "neither a file nor a folder"),
        "truncated": (lambda: path.write_bytes(packed[: len(packed) // 2]), "truncated or damaged"),
        "truncated checksum": (lambda: path.write_bytes(packed[:-3]), "truncated or damaged"),
        "flipped bits": (lambda: path.write_bytes(packed[:-8] + b"\0\0\0\0" + packed[-4:]), "truncated or damaged"),
        "truncated tar": (lambda: path.write_bytes(gzip.decompress(packed)[:900_000]), "is truncated"),
        "escaping": (tar_with(tarfile.TarInfo("../../escaped")), "'../../escaped', a path that escapes"),
        "hidden escape": (tar_with(tarfile.TarInfo("a/../../escaped")), "'a/../../escaped', a path that escapes"),
        "absolute escape": (tar_with(tarfile.TarInfo("/../etc/passwd")), "'/../etc/passwd', a path that escapes"),
        "symbolic link": (tar_with(link("a/train.bin", "/tmp")), "'a/train.bin', which is a link"),
        "hard link": (tar_with(link("meta", "/etc/passwd", tarfile.LNKTYPE)), "'meta', which is a link"),
        "device": (tar_with(link("a/test", "", tarfile.CHRTYPE)), "'a/test', which is a link, a device"),
        "decompression bomb": (bomb, "unpacks to more than"),
        "empty folder": (lambda: path.mkdir(), "not CIFAR-100"),
        "folder of other things": (lambda: archives.write_folder(path, {"cat.png": b"x"}), "not CIFAR-100"),
        "half a folder": (
            lambda: archives.write_folder(path, {"test.bin": good["test.bin"]}),
            "incomplete cifar-100-binary: missing train.bin",
        ),
        "tar of other things": (lambda: archives.write_tar(path, {"cat.png": b"x"}), "not CIFAR-100"),
        "twice": (lambda: path.write_bytes(_twice(good)), "'cifar-100-binary/train.bin' twice"),
    }


def _twice(files):
    first, second = (archives.tar_bytes(files, "cifar-100-binary") for _ in range(2))
    return first.rstrip(b"\0") + bytes(-len(first.rstrip(b"\0")) % 512) + second


@pytest.mark.parametrize("kind", bad_archives(None))
def test_bad_container_is_named_in_one_line(kind, tmp_path):
    path = tmp_path / "folder" / "data"
    path.parent.mkdir()
    write, message = bad_archives(path)[kind]
    write()
    with pytest.raises(errors.BadArgumentError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith("archive=X: ")
    assert message in text
    assert "expected a complete cifar-100-binary or cifar-100-python" in text
    assert "\n" not in text
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def with_row(split, index, **columns):
    """The files, with other labels in one row."""
    table = archives.rows(split)
    for column, value in columns.items():
        table[index, ("coarse", "fine").index(column)] = value
    return {**archives.binary_files(), f"{split}.bin": table.tobytes()}


def wrong_contents():
    good = archives.binary_files()
    fine = int(archives.rows("train")[7, 1])
    name, right = labels.FINE_NAMES[fine], labels.FINE_TO_COARSE[fine]
    wrong = (right + 1) % 20
    other = (fine + 1) % 100
    dark = archives.rows("train")
    dark[:, 2:] //= 2
    missing = archives.rows("train")
    missing[missing[:, 1] == labels.FINE_NAMES.index("apple"), 1] = labels.FINE_NAMES.index("mushroom")
    swapped = archives.rows("train")
    swapped[:, :2] = swapped[:, 1::-1]
    swapped_names = good["fine_label_names.txt"].replace(b"apple\naquarium_fish", b"aquarium_fish\napple")
    return {
        "short": ({**good, "train.bin": good["train.bin"][:-1]}, "'train.bin' has 1,536,999 bytes; expected 1,537,000"),
        "one record less": ({**good, "test.bin": good["test.bin"][3074:]}, "expected 307,400"),
        "fine out of range": (with_row("train", 7, fine=200), "record 7 of train has fine label 200; expected 0 to 99"),
        "coarse out of range": (
            with_row("test", 3, coarse=20),
            "record 3 of test has coarse label 20; expected 0 to 19",
        ),
        "wrong coarse": (
            with_row("train", 7, coarse=wrong),
            f"record 7 of train has fine label {fine} ({name}) with coarse label {wrong} (",
        ),
        "wrong class": (
            with_row("train", 7, fine=other, coarse=labels.FINE_TO_COARSE[other]),
            f"train has 4 images of class {name!r}; expected 5",
        ),
        "class missing": ({**good, "train.bin": missing.tobytes()}, "train has 0 images of class 'apple'; expected 5"),
        "fine and coarse swapped": ({**good, "train.bin": swapped.tobytes()}, "labels of train are swapped"),
        "records of CIFAR-10": (
            {**good, "train.bin": archives.rows("train")[:, 1:].tobytes()},
            "'train.bin' has 1,536,500 bytes, as records of CIFAR-10 have (--dataset=cifar10); expected 1,537,000",
        ),
        "other colours": ({**good, "train.bin": dark.tobytes()}, "channel means of train are 0.2"),
        "other names": ({**good, "fine_label_names.txt": swapped_names}, "fine label 0 is named 'aquarium_fish'"),
        "fewer names": ({**good, "coarse_label_names.txt": b"fish\n"}, "1 coarse label names; expected 20"),
    }


@pytest.mark.parametrize("kind", wrong_contents())
def test_wrong_contents_are_named(kind, tmp_path):
    files, message = wrong_contents()[kind]
    folder = archives.write_folder(tmp_path / "data", files)
    with pytest.raises(errors.BadArgumentError) as caught:
        read(folder)
    assert message in str(caught.value)


def wrong_cifar10():
    spec = archives.SMALL_CIFAR10
    binary, python = archives.binary_files(spec), archives.python_files(spec)
    table = archives.parts(spec.forms[0], spec)["data_batch_2.bin"]
    frogs, dark, odd = table.copy(), archives.rows("train", spec), table.copy()
    frogs[:, 0] = spec.classes.fine.index("frog")
    dark[:, 1:] //= 2
    odd[3, 0] = 10
    names = binary["batches.meta.txt"].replace(b"cat\n", b"dog\n")
    return {
        "batch missing": ({**python, "data_batch_4": None}, "incomplete cifar-10-batches-py: missing data_batch_4"),
        "test missing": ({**binary, "test_batch.bin": None}, "incomplete cifar-10-batches-bin: missing test_batch.bin"),
        "one record less": ({**binary, "data_batch_1.bin": binary["data_batch_1.bin"][3073:]}, "expected 30,730"),
        "label out of range": ({**binary, "data_batch_2.bin": odd.tobytes()}, "of train has label 10; expected 0 to 9"),
        "wrong classes": ({**binary, "data_batch_2.bin": frogs.tobytes()}, "images of class "),
        "other colours": (
            {**binary, **{name: part.tobytes() for name, part in zip(binary, np.split(dark, 5), strict=False)}},
            "channel means of train are 0.2",
        ),
        "other names": ({**binary, "batches.meta.txt": names}, "label 3 is named 'dog'; expected 'cat'"),
        "fewer names": (
            {**python, "batches.meta": pickle.dumps({"label_names": ["cat"]})},
            "1 label names; expected 10",
        ),
        "program": ({**python, "data_batch_5": b"cos\nsystem\n(S'true'\ntR."}, "data_batch_5' has 23 bytes"),
        "labels of CIFAR-100": (
            {**python, "test_batch": pickle.dumps(archives.as_fields("test", archives.rows("test")[:10]), 2)},
            "test_batch: 'labels' is missing; found 'batch_label', 'coarse_labels'",
        ),
    }


@pytest.mark.parametrize("kind", wrong_cifar10())
def test_wrong_contents_of_cifar10_are_named(kind, tmp_path):
    files, message = wrong_cifar10()[kind]
    folder = archives.write_folder(tmp_path / "data", {name: data for name, data in files.items() if data is not None})
    with pytest.raises(errors.BadArgumentError) as caught:
        read(folder, archives.SMALL_CIFAR10)
    assert message in str(caught.value)
    assert "expected a complete cifar-10-batches-bin or cifar-10-batches-py" in str(caught.value)


@pytest.mark.parametrize(("given", "expected"), [("cifar10", "cifar100"), ("cifar100", "cifar10")])
@pytest.mark.parametrize("make_files", [archives.binary_files, archives.python_files])
@pytest.mark.parametrize("packing", ["tar.gz", "folder"])
def test_the_other_data_set_is_named(given, expected, make_files, packing, tmp_path):
    spec, path = archives.SMALL_SPECS[given], tmp_path / "data"
    PACKINGS[packing](path, make_files(spec), "folder")
    with pytest.raises(errors.BadArgumentError, match=rf"it is {spec.title} \(--dataset={given}\)"):
        read(path, archives.SMALL_SPECS[expected])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": np.zeros((500, 3072), np.int64)}, "'train' has .* bytes; expected"),
        ({"data": np.zeros((3072, 500), np.uint8)}, r"'data' is uint8\[3072, 500\]"),
        ({"data": np.zeros((501, 3072), np.uint8)}, "train: 501 records; expected 500"),
        ({"data": [1] * 1_000_000}, "more than a data set needs"),
        ({"fine_labels": [0] * 499}, "train: 'fine_labels' must be a list of 500"),
        ({"fine_labels": None}, "train: 'fine_labels' is missing; found 'batch_label', 'coarse_labels', 'data'"),
        ({"fine_labels": ["cat"] * 500}, "train: 'fine_labels' must be a list of 500"),
        ({"fine_labels": archives.fields("train")["coarse_labels"]}, "record 0 of train has fine label"),
        ({"coarse_labels": [256] * 500}, "record 0 has 256 in 'coarse_labels'"),
        ({"coarse_labels": [-1] * 500}, "record 0 has -1 in 'coarse_labels'"),
    ],
)
def test_wrong_fields_of_the_python_form_are_named(changes, message, tmp_path):
    files = {**archives.python_files(), "train": pickle.dumps({**archives.fields("train"), **changes})}
    with pytest.raises(errors.BadArgumentError, match=message):
        read(archives.write_folder(tmp_path / "data", files))


def test_a_program_in_the_python_form_is_an_error_of_one_line(tmp_path):
    files = {**archives.python_files(), "meta": b"cos\nsystem\n(S'true'\ntR."}
    with pytest.raises(errors.BadArgumentError, match=r"archive=X: the pickle asks for os\.system"):
        read(archives.write_folder(tmp_path / "data", files))


@pytest.mark.real_data
def test_the_real_archive_checks_out(cifar100_archive):
    result = archive.read(cifar100_archive, CIFAR100, source="--archive")
    assert (len(result.train.rows), len(result.test.rows)) == (50_000, 10_000)
    np.testing.assert_allclose(result.statistics.means, (0.5071, 0.4865, 0.4409), atol=1e-4)
    np.testing.assert_allclose(result.statistics.deviations, (0.2673, 0.2564, 0.2762), atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fine_labels": [1, [2, 3]]}, "'fine_labels' must be a list of"),
        ({(b"fine_labels",): [1]}, "dictionary keys must be strings"),
    ],
)
def test_a_pickle_of_odd_contents_is_refused_in_one_line(tmp_path, fields, message):
    files = archives.python_files()
    changed = {**pickle.loads(files["train"], encoding="bytes"), **fields}
    files["train"] = pickle.dumps(changed, protocol=2)
    path = archives.write_folder(tmp_path / "odd", files)
    with pytest.raises(errors.BadArgumentError, match=message):
        read(path)
