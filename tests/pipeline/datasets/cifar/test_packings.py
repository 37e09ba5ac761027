"""Copies of CIFAR-100 as other programs pack and edit them, and files of other kinds."""

import bz2
import functools
import gzip
import io
import lzma
import stat
import struct
import tarfile
import tempfile
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common import errors
from pipeline.datasets import labels
from pipeline.datasets.cifar import archive, records
from tests.pipeline.datasets import archives, pickles
from tests.pipeline.datasets.archives import SMALL

BINARY = archives.binary_files()
PYTHON = archives.python_files()
LONG_FOLDER = "/".join(["a-folder-with-a-long-name"] * 8)  # more than the 100 characters of tar's field


def read(path):
    return archive.read(path, SMALL, source="archive=X")


def in_folder(files, folder, separator="/"):
    return {f"{folder}{separator}{name}": content for name, content in files.items()}


def noise(files, folder):
    """What macOS, Windows and editors leave beside the files."""
    return {
        **{f"__MACOSX/{folder}/._{name}": b"\0\5\x16\7" for name in files},
        **{f"{folder}/._{name}": b"\0\5\x16\7" for name in files},
        f"{folder}/.DS_Store": b"x",
        f"{folder}/Thumbs.db": b"x",
        f"{folder}/file.txt~": b"",
        f"{folder}/readme.html": b"<html>",
    }


def tar(files, folder="cifar-100-python", tar_format=tarfile.PAX_FORMAT):
    return archives.tar_bytes(files, folder, tar_format=tar_format)


@functools.cache
def tar_xz():
    half = len(tar(BINARY)) // 2  # in two streams, as some parallel programs write it
    return lzma.compress(tar(BINARY)[:half], preset=0) + lzma.compress(tar(BINARY)[half:], preset=0)


def linked(name, kind, target=""):
    """The block of tar of a member without content."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member.tobuf(tarfile.GNU_FORMAT)


def with_hard_links():
    """A tar archive of a folder, and of a copy of it whose files are hard links to the first one's."""
    whole = tar(BINARY, "a").rstrip(b"\0")
    return whole + bytes(-len(whole) % 512) + b"".join(linked(f"b/{n}", tarfile.LNKTYPE, f"a/{n}") for n in BINARY)


def zip_with_link(name):
    """A ZIP archive of a folder and of a symbolic link to it."""
    data = io.BytesIO(archives.zip_bytes(in_folder(BINARY, "cifar-100-binary")))
    link = zipfile.ZipInfo(name)
    link.create_system, link.external_attr = 3, LINK
    with zipfile.ZipFile(data, "a") as packed:
        packed.writestr(link, "cifar-100-binary")
    return data.getvalue()


LINK = (stat.S_IFLNK | 0o777) << 16
PACKINGS = {
    "tar.bz2": lambda: bz2.compress(tar(PYTHON), 1),
    "tar.xz": tar_xz,
    "tar without top folder": lambda: tar(BINARY, ""),
    "tar with ./ only": lambda: tar(BINARY, "."),
    "ustar": lambda: tar(BINARY, LONG_FOLDER, tarfile.USTAR_FORMAT),
    "gnu": lambda: tar(BINARY, LONG_FOLDER, tarfile.GNU_FORMAT),
    "pax": lambda: tar(BINARY, LONG_FOLDER, tarfile.PAX_FORMAT),
    "pax of Unicode": lambda: tar(BINARY, "Gewürze/\N{SNOWMAN}"),
    "tar without end mark": lambda: tar(BINARY).rstrip(b"\0") + bytes(-len(tar(BINARY).rstrip(b"\0")) % 512),
    "tar with noise": lambda: tar({**noise(PYTHON, "x"), **in_folder(PYTHON, "x")}, ""),
    "tar with a label": lambda: linked("cifar", b"V") + tar(BINARY),
    "tar with lists of files": lambda: linked("train.bin/", b"D") + tar(BINARY),
    "tar with a symbolic link": lambda: linked("latest", tarfile.SYMTYPE, "cifar-100-python") + tar(BINARY),
    "tar with a hard-linked copy": with_hard_links,
    "tar with a device": lambda: linked("null", tarfile.CHRTYPE) + tar(BINARY),
    "tar of absolute names": lambda: tar(BINARY, "/home/user/cifar-100-binary"),
    "zip": lambda: archives.zip_bytes(in_folder(PYTHON, "cifar-100-python")),
    "zip with a symbolic link": lambda: zip_with_link("latest"),
    "zip of absolute names": lambda: archives.zip_bytes(in_folder(BINARY, "/data")),
    "zip of Kaggle": lambda: archives.zip_bytes({**PYTHON, "file.txt~": b""}),
    "zip stored": lambda: archives.zip_bytes(BINARY, zipfile.ZIP_STORED),
    "zip by bzip2": lambda: archives.zip_bytes(BINARY, zipfile.ZIP_BZIP2),
    "zip with backslashes": lambda: archives.zip_bytes(in_folder({"": b"", **BINARY}, "cifar-100-binary", "\\")),
    "zip of Unix": lambda: archives.zip_bytes({"a/": b"", **in_folder(BINARY, "a")}, attributes=0o100644 << 16),
    "zip with noise": lambda: archives.zip_bytes({**noise(PYTHON, "x"), **in_folder(PYTHON, "x")}),
    "other files of these names": lambda: tar({"train": b"x", "test": b"x", **in_folder(BINARY, "a/b")}, ""),
    "both forms": lambda: tar({**in_folder(BINARY, "b"), **in_folder(PYTHON, "p")}, ""),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_is_read(packing, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(PACKINGS[packing]())
    result = read(path)
    np.testing.assert_array_equal(result.train.rows, archives.rows("train"))
    np.testing.assert_array_equal(result.test.rows, archives.rows("test"))


@settings(max_examples=12, derandomize=True)
@given(st.permutations(list(BINARY)), st.lists(st.from_regex("[a-zß._~ -]{1,20}x", fullmatch=True)), st.booleans())
def test_order_and_other_files_do_not_matter(order, others, is_zip):
    files = {**dict.fromkeys(others, b"x" * 700), **{name: BINARY[name] for name in order}}
    with tempfile.NamedTemporaryFile() as file:
        file.write(archives.zip_bytes(files, zipfile.ZIP_STORED) if is_zip else tar(files, "a"))
        file.flush()
        np.testing.assert_array_equal(read(file.name).train.rows, archives.rows("train"))


def test_a_folder_further_in_is_found_beside_other_things(tmp_path):
    archives.write_folder(tmp_path / "Downloads", {"train": b"a short file", "test": b"x", "a.png": b"x"})
    archives.write_folder(tmp_path / "Downloads" / "cifar-100-python" / "cifar-100-python", PYTHON)
    (tmp_path / "Downloads" / "loop").symlink_to(tmp_path / "Downloads")
    np.testing.assert_array_equal(read(tmp_path / "Downloads").train.rows, archives.rows("train"))


@pytest.mark.parametrize("writer", ["python 2", "numpy 1", "numpy 2"])
@pytest.mark.parametrize("protocol", range(6))
def test_every_pickle_is_read(writer, protocol, tmp_path):
    if writer == "python 2" and protocol > 2:
        pytest.skip("Python 2 has no such protocol")
    names = {"fine_label_names": list(labels.FINE_NAMES), "coarse_label_names": list(labels.COARSE_NAMES)}
    files = {"meta": pickles.dump(names, protocol, writer=writer)}
    for split in ("train", "test"):
        fields = archives.fields(split)
        fields["data"] = np.asfortranarray(fields["data"])
        fields["fine_labels"] = list(np.array(fields["fine_labels"]))  # the most opcodes for a row
        del fields["filenames"], fields["batch_label"]
        files[split] = pickles.dump(fields, protocol, writer=writer)
    np.testing.assert_array_equal(read(archives.write_folder(tmp_path / "a", files)).train.rows, archives.rows("train"))


EDITORS = {
    "CR LF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "no final line end": lambda text: text.rstrip().encode(),
    "trailing blank lines": lambda text: f"{text}\n \n\n".encode(),
    "trailing spaces": lambda text: text.replace("\n", " \t\n").encode(),
    "control-Z": lambda text: f"{text}\x1a".encode(),
}


@pytest.mark.parametrize("editor", EDITORS)
def test_label_names_of_every_editor_are_read(editor, tmp_path):
    for kind, names in (("fine", labels.FINE_NAMES), ("coarse", labels.COARSE_NAMES)):
        path = tmp_path / f"{kind}_label_names.txt"
        path.write_bytes(EDITORS[editor]("".join(f"{name}\n" for name in names)))
        with path.open("rb") as file:
            records.check_names(path.name, file, SMALL)


def patched(data, old, new):
    assert old in data
    return data.replace(old, new)


def header(kind, size):
    """A tar archive of one header."""
    member = tarfile.TarInfo("train.bin")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def header_with_size(field):
    """A tar archive of one header, whose size is these 12 bytes."""
    data = header(tarfile.REGTYPE, 0)
    data = data[:124] + field + data[136:148] + b" " * 8 + data[156:]
    return data[:148] + b"%06o\0 " % sum(data[:512]) + data[156:]


def zip_with_flag(flag):
    data = bytearray(archives.zip_bytes(BINARY))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(magic)
        while start >= 0:
            data[start + offset] |= flag
            start = data.find(magic, start + 1)
    return bytes(data)


HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>"
CIFAR10 = {"batches.meta": b"x", "data_batch_1": b"x", "test_batch": b"x"}
# What is found -> the file, and a part of the message.
OTHERS = {
    "web page": (lambda: HTML, "is a web page"),
    "message of Kaggle": (lambda: b'{"code":401,"message":"Unauthenticated"}', "is a message of a server"),
    "web page by gzip": (lambda: gzip.compress(HTML), "is a web page"),
    "pointer of Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
    "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99), "7z archive: unpack"),
    "RAR": (lambda: b"Rar!\x1a\x07\x01" + bytes(99), "RAR archive: unpack"),
    "Zstandard": (lambda: b"\x28\xb5\x2f\xfd" + bytes(99), "Zstandard: unpack"),
    "Parquet": (lambda: b"PAR1" + bytes(99), "Parquet"),
    "a pickle of it": (lambda: PYTHON["train"], "is a pickle: pass the folder"),
    "records of it": (lambda: BINARY["test.bin"], "is not a tar or ZIP archive"),
    "zeros": (lambda: bytes(20_480), "not CIFAR-100"),
    "compressed twice": (lambda: gzip.compress(gzip.compress(tar(BINARY))), "compressed twice"),
    "archive in a zip": (lambda: archives.zip_bytes({"cifar-100-python.tar.gz": b"x"}), "an archive in an archive"),
    "archive in a tar": (lambda: tar({"cifar-100-binary.zip": b"x"}), "an archive in an archive"),
    "CIFAR-10": (lambda: tar(CIFAR10), "it is CIFAR-10 (--dataset=cifar10)"),
    "CIFAR-10 of Kaggle": (lambda: archives.zip_bytes(CIFAR10), "it is CIFAR-10 (--dataset=cifar10)"),
    "empty zip": (lambda: archives.zip_bytes({}), "not CIFAR-100"),
    "empty tar.gz": (lambda: gzip.compress(bytes(10_240)), "not CIFAR-100"),
    "encrypted zip": (lambda: zip_with_flag(1), "'train.bin' encrypted"),
    "zip by LZMA": (lambda: archives.zip_bytes(BINARY, zipfile.ZIP_LZMA), "'train.bin' compressed by LZMA"),
    "zip with an escape": (lambda: archives.zip_bytes({**BINARY, "../x": b""}), "'../x', a path that escapes"),
    "zip with a Windows escape": (lambda: archives.zip_bytes({"..\\..\\x": b""}), "a path that escapes"),
    "zip with a drive": (lambda: archives.zip_bytes({"C:\\train": b""}), "a path that escapes"),
    "zip with a link": (
        lambda: archives.zip_bytes({"train": b"/etc/passwd"}, attributes=LINK),
        "'train', which is a link",
    ),
    "zip with a file twice": (lambda: archives.zip_bytes({**BINARY, "./train.bin": b"x"}), "'train.bin' twice"),
    "truncated zip": (lambda: archives.zip_bytes(BINARY)[:-9], "is truncated or damaged"),
    "zip of wrong content": (
        lambda: patched(archives.zip_bytes(BINARY, zipfile.ZIP_STORED), b"apple", b"apply"),
        "is truncated or damaged (Bad CRC-32",
    ),
    "truncated tar.xz": (lambda: tar_xz()[:99_999], "is truncated"),
    "damaged tar.xz": (lambda: patched(tar_xz(), b"YZ", b"ZZ"), "is truncated or damaged"),
    "truncated tar.bz2": (lambda: bz2.compress(tar(BINARY), 1)[:99_999], "is truncated"),
    "sparse file": (lambda: header(tarfile.GNUTYPE_SPARSE, 0), "a sparse file"),
    "symbolic link in place of a file": (
        lambda: linked("a/train.bin", tarfile.SYMTYPE, "x") + tar(BINARY),
        "'a/train.bin', which is a link",
    ),
    "hard link to a file of another name": (
        lambda: linked("a/train.bin", tarfile.LNKTYPE, "a/copy") + tar(BINARY),
        "'a/train.bin', which is a link",
    ),
    "a petabyte declared": (lambda: header(tarfile.REGTYPE, 10**15), "is truncated"),
    "a negative size": (lambda: header_with_size(b"-0000000001\0"), "a header of tar is invalid"),
    "two copies": (lambda: tar({**in_folder(BINARY, "a"), **in_folder(BINARY, "b")}, ""), "leave one of the copies"),
    "many copies of names": (
        lambda: tar({f"{index}/meta": PYTHON["meta"] for index in range(101)}, ""),
        "more than 100 files",
    ),
    "xz that takes gigabytes": (
        lambda: lzma.compress(bytes(99), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]),
        "is truncated or damaged (Memory usage limit",
    ),
    "records of CIFAR-10's count": (
        lambda: tar({**BINARY, "train.bin": BINARY["train.bin"][3074:]}),
        "'cifar-100-python/train.bin' has 1,533,926 bytes; expected 1,537,000",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_of_another_kind_is_named_in_one_line(kind, tmp_path):
    make, message = OTHERS[kind]
    path = tmp_path / "data"
    path.write_bytes(make())
    with pytest.raises(errors.BadArgumentError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith("archive=X: ")
    assert message in text
    assert "\n" not in text
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_a_large_header_is_refused(tmp_path):
    member = tarfile.TarInfo("x")
    member.pax_headers = {"comment": "9" * (17 << 20)}
    (tmp_path / "data").write_bytes(gzip.compress(member.tobuf(tarfile.PAX_FORMAT), 1))
    with pytest.raises(errors.BadArgumentError, match="names and attributes"):
        read(tmp_path / "data")


def test_a_large_directory_is_refused(tmp_path):
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, 9 << 20, 4, 0)
    (tmp_path / "data").write_bytes(b"PK\3\4" + bytes(9 << 20) + end)
    with pytest.raises(errors.BadArgumentError, match="has a directory of"):
        read(tmp_path / "data")
