"""Data sets that people could not read elsewhere, as they reported it; each case cites its report."""

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest

from pipeline.common import errors
from pipeline.datasets.cifar import archive, unpickle
from tests.pipeline.datasets import archives, pickles

BINARY = archives.binary_files()
PYTHON2 = {split: pickles.dump(archives.fields(split), 2, writer="python 2") for split in ("train", "test")}


def renamed(old, new):
    """The python form, with another name of a module of NumPy in its pickles."""
    files = {split: pickles.dump(archives.fields(split), 2, writer="numpy 1") for split in ("train", "test")}
    assert old in files["train"]
    return {split: data.replace(old, new) for split, data in files.items()}


def text_mode():
    fields = {split: pickles.dump(archives.fields(split), 0, writer="python 2") for split in ("train", "test")}
    return {split: data.replace(b"\n", b"\r\n") for split, data in fields.items()}


def in_folder(files, folder):
    return {folder + name: data for name, data in files.items()}


def tar(files):
    return archives.tar_bytes(files, "")


READ = {
    # numpy/numpy#12837: arrays that NumPy 1.16.0 pickled name another module than those before and after it.
    "NumPy 1.16.0": lambda: tar(renamed(b"numpy.core.multiarray", b"numpy.core._multiarray_umath")),
    # numpy/numpy#28340: "No module named 'numpy._core'" for pickles of NumPy 2.
    "NumPy 2": lambda: tar(renamed(b"numpy.core.multiarray", b"numpy._core.multiarray")),
    # tflearn/tflearn#57: "'ascii' codec can't decode byte 0x8b" for the byte strings of Python 2.
    "strings of Python 2": lambda: tar(PYTHON2),
    # tylerjereddy/pycon-2017#1: "No module named 'numpy.core.multiarray\r'" for pickles in the text mode of Windows.
    "text mode of Windows": lambda: tar(text_mode()),
    # google-deepmind/abstract-reasoning-matrices#3: a .tar.gz that is a plain tar archive.
    "plain .tar.gz": lambda: tar(BINARY),
    # chainer/chainer#1422: names with two slashes in the official archive.
    "two slashes": lambda: tar(in_folder(BINARY, "cifar-100-binary//")),
    # chainer/chainer#1507: cifar-100-python has other names than CIFAR-10, and an editor's backup beside them.
    "official listing": lambda: tar(in_folder({"file.txt~": b"", **PYTHON2}, "cifar-100-python/")),
    # python/cpython#91036: ZIP archives of Windows whose names have backslashes.
    "backslashes": lambda: archives.zip_bytes(in_folder(BINARY, "cifar-100-binary\\")),
    # lavr/python-emails#24: the loader takes __MACOSX/._NAME for NAME.
    "macOS": lambda: archives.zip_bytes({**in_folder(PYTHON2, "__MACOSX/._"), **PYTHON2}),
}


@pytest.mark.parametrize("case", READ)
def test_it_is_read(case, tmp_path):
    path = tmp_path / "cifar-100-python.tar.gz"
    path.write_bytes(READ[case]())
    result = archive.read(path, archives.SMALL, source="archive=X")
    np.testing.assert_array_equal(result.train.rows, archives.rows("train"))


def pax(records):
    """A tar archive with a header of PAX."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    return header.tobuf() + records + bytes(-len(records) % 512) + tar(BINARY)


def negative_size():
    """A tar archive whose first file has a negative size, as GNU writes large ones."""
    header = bytearray(tarfile.TarInfo("train.bin").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + tar(BINARY)


REFUSED = {
    # kavgan/nlp-in-practice#1, NVlabs/DiffPure#24: an HTML page saved under the name of the archive.
    "web page": (lambda: b"\n\n<!DOCTYPE html>\n<html lang='en'>", "is a web page"),
    # keras-team/keras#2572: an interrupted download, later "Compressed file ended before the end-of-stream marker".
    "interrupted download": (lambda: gzip.compress(tar(BINARY), 1)[:200_000], "is truncated"),
    # keras-team/keras#11503: "pickle data was truncated" for cifar100.load_data().
    "truncated pickle": (lambda: tar({**PYTHON2, "train": PYTHON2["train"][:-1000]}), "train: the pickle is truncated"),
    # python/cpython#83198 (CVE-2019-20907): a PAX record of no length made tarfile loop for ever.
    "PAX record of no length": (lambda: pax(b"0 path=x\n"), "a header of PAX is invalid"),
    # python/cpython#121285 (CVE-2024-6232): digits made tarfile backtrack for hours.
    "PAX header of digits": (lambda: pax(b"1" * 1_000_000), "a header of PAX is invalid"),
    # rapidsai/docker#798 (CVE-2025-8194): a negative size made tarfile loop for ever.
    "negative size": (negative_size, "is truncated"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_one_line(case, tmp_path):
    make, message = REFUSED[case]
    (tmp_path / "data").write_bytes(make())
    with pytest.raises(errors.BadArgumentError, match=message) as caught:
        archive.read(tmp_path / "data", archives.SMALL, source="archive=X")
    assert "\n" not in str(caught.value)


def test_pickles_that_exhaust_memory_elsewhere_take_none():
    # python/cpython#115952 (and CVE-2018-20406): a few bytes with a large index of the memo took gigabytes.
    assert unpickle.load(io.BytesIO(b"]r\xff\xff\xff\xff.")) == []
    # tracel-ai/burn#5120: each tuple holds the one before it twice, 2**60 of them in all.
    doubled = b")q\x000" + b"".join(b"h%ch%c\x86q%c0" % (i, i, i + 1) for i in range(60)) + b"h\x3c"
    unpickle.load(io.BytesIO(doubled + b"."))
    with pytest.raises(pickle.UnpicklingError, match="keys must be strings"):  # whose hash would never end
        unpickle.load(io.BytesIO(b"}" + doubled + b"Ns."))
