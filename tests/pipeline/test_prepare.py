import contextlib
import dataclasses
import hashlib
import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import tarfile
import threading

import pytest

from pipeline import prepare
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets import prepared, records
from tests.pipeline.datasets import archives
from tests.pipeline.datasets.archives import SMALL

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
# A whole prepare, with the small data set that the binary itself would refuse.
SMALL_PREPARE = """
import sys
from tests.pipeline.datasets.archives import SMALL
from pipeline import prepare
from pipeline.data_config import SourceConfig
print(prepare.prepare(SourceConfig(data_dir=sys.argv[1], archive=sys.argv[2]), spec=SMALL))
"""


# The same, caught for good in the middle of its training records.
HALF_PREPARE = (
    """
import sys, time
from pipeline.datasets import canonical
examples = canonical.tfds_examples
def half(*arguments):
    for index, pair in enumerate(examples(*arguments)):
        if index == 250:
            print("half way", file=sys.__stdout__, flush=True)
            time.sleep(600)
        yield pair
canonical.tfds_examples = half
"""
    + SMALL_PREPARE
)


@pytest.fixture
def start():
    """Starts Python with arguments; kills the rest at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start_one(*arguments):
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                cwd=ROOT,
                env=ENVIRONMENT,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start_one


def read_back(data_dir):
    """split -> the records that plain TFDS reads, by id."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("cifar100", data_dir=str(data_dir))
    assert str(builder.version) == prepared.VERSIONS["cifar100"]
    return {
        split: {record["id"]: record for record in builder.as_dataset(split=split).as_numpy_iterator()}
        for split in ("train", "test")
    }


def digest(row):
    """The SHA-256 of the pixels of a row, height by width by colour."""
    return hashlib.sha256(row[2:].reshape(3, 32, 32).transpose(1, 2, 0).tobytes()).digest()


def assert_whole(data_dir):
    splits = read_back(data_dir)
    assert {split: len(examples) for split, examples in splits.items()} == {"train": 500, "test": 100}
    for split, examples in splits.items():
        images = {digest(row): row for row in archives.rows(split)}
        assert list(examples) == sorted(examples)
        for each, example in zip(sorted(images), examples.values(), strict=True):
            row = images[each]
            assert (example["coarse_label"], example["label"]) == (row[0], row[1])
            assert (example["image"] == row[2:].reshape(3, 32, 32).transpose(1, 2, 0)).all()


def shards(data_dir):
    return {file.name: file.read_bytes() for file in prepared.folder(data_dir, "cifar100").glob("*.tfrecord*")}


@pytest.fixture
def dead_url():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/cifar-100-binary.tar.gz"


@pytest.fixture
def no_tensorflow(monkeypatch):
    """Fail where TFDS would write."""
    monkeypatch.setattr(prepare, "_write", lambda *_arguments: pytest.fail("wrote a data set"))


def test_plain_tfds_reads_exactly_the_records(small_data_dir):
    assert_whole(small_data_dir)


def test_tfds_reads_the_label_names_and_no_staging_folder(small_data_dir):
    import tensorflow_datasets as tfds

    from pipeline.datasets import labels

    info = tfds.builder_from_directory(prepared.folder(small_data_dir, "cifar100")).info
    assert tuple(info.features["label"].names) == labels.FINE_NAMES
    assert tuple(info.features["coarse_label"].names) == labels.COARSE_NAMES
    for file in prepared.folder(small_data_dir, "cifar100").glob("*.json"):
        assert ".staging" not in file.read_text()


def test_provenance_is_written(small_data_dir, archive):
    provenance = prepared.provenance(small_data_dir, "cifar100")
    assert (provenance["how"], provenance["path"], provenance["official"]) == ("archive", str(archive), None)
    assert provenance["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert provenance["num_examples"] == {"train": 500, "test": 100}
    assert provenance["channel_means"] == pytest.approx([0.5] * 3, abs=0.01)


def test_nothing_but_the_data_set_is_left(small_data_dir):
    assert sorted(path.name for path in small_data_dir.iterdir()) == [".prepare.lock", "cifar100"]
    assert [path.name for path in (small_data_dir / "cifar100").iterdir()] == ["3.0.2"]


def test_the_python_form_gives_the_same_records(small_data_dir, tmp_path):
    folder = archives.write_folder(tmp_path / "cifar-100-python", archives.python_files())
    prepare.prepare(SourceConfig(data_dir=str(tmp_path / "data"), archive=str(folder)), spec=SMALL)
    assert shards(tmp_path / "data") == shards(small_data_dir)
    assert len(shards(small_data_dir)) == 2


def test_what_is_prepared_stays(small_data_dir, no_tensorflow, capsys):
    for dataset in ("cifar100", "auto"):
        assert prepare.prepare(SourceConfig(dataset=dataset, data_dir=str(small_data_dir)), url="unused:") == "cifar100"
        assert "cifar100 is already prepared in" in capsys.readouterr().err


def test_the_same_archive_again_logs_one_line(small_data_dir, archive, no_tensorflow, capsys):
    prepare.prepare(SourceConfig(data_dir=str(small_data_dir), archive=str(archive)), spec=SMALL)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_file_with_the_same_records_is_logged(small_data_dir, tmp_path, no_tensorflow, capsys):
    other = archives.write_tar(tmp_path / "other.tar.gz", archives.python_files(), folder="cifar-100-python")
    prepare.prepare(SourceConfig(data_dir=str(small_data_dir), archive=str(other)), spec=SMALL)
    assert "another file with the same records" in capsys.readouterr().err


def test_an_archive_with_other_records_than_those_prepared_is_refused(small_data_dir, tmp_path, no_tensorflow):
    table = archives.rows("train")
    table[0, 5] ^= 1
    files = {**archives.binary_files(), "train.bin": table.tobytes()}
    other = archives.write_folder(tmp_path / "other", files)
    with pytest.raises(errors.BadArgumentError, match="records differ from those prepared in"):
        prepare.prepare(SourceConfig(data_dir=str(small_data_dir), archive=str(other)), spec=SMALL)


@pytest.mark.parametrize("dataset", ["cifar100", "auto"])
@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_bad_archive_is_an_error_whatever_else_there_is(
    dataset, is_prepared, small_data_dir, tmp_path, no_tensorflow
):
    data_dir = small_data_dir if is_prepared else tmp_path / "data"
    source = SourceConfig(dataset=dataset, data_dir=str(data_dir), archive=str(tmp_path / "absent"))
    with pytest.raises(errors.BadArgumentError, match=r"--archive=.*absent: no such file or folder"):
        prepare.prepare(source, spec=SMALL)
    assert is_prepared or not data_dir.exists()


def test_an_archive_for_a_generated_data_set_is_an_error(archive, tmp_path):
    source = SourceConfig(dataset="shapes100", data_dir=str(tmp_path), archive=str(archive))
    with pytest.raises(errors.BadArgumentError, match="--dataset=shapes100 is generated"):
        prepare.prepare(source)


def test_a_data_dir_that_cannot_be_written_is_an_error(archive, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.BadArgumentError, match=r"--data_dir=.*file/data: cannot be written \(Not a directory\)"):
        prepare.prepare(SourceConfig(data_dir=str(tmp_path / "file" / "data"), archive=str(archive)), spec=SMALL)


def test_a_dead_host_fails_with_a_remedy(dead_url, tmp_path, no_tensorflow):
    with pytest.raises(errors.FailedError, match=r"cannot be downloaded: 127.0.0.1: .*refused.*--archive=FILE"):
        prepare.prepare(SourceConfig(data_dir=str(tmp_path)), url=dead_url, spec=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [".prepare.lock"]


def test_auto_falls_back_loudly(dead_url, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prepare, "FALLBACK", "shapes100_tiny")
    source = SourceConfig(dataset="auto", data_dir=str(tmp_path))
    assert prepare.prepare(source, url=dead_url, spec=SMALL) == "shapes100_tiny"
    output = capsys.readouterr()
    assert output.out == ""
    assert "CIFAR-100 IS NOT AVAILABLE: 127.0.0.1: " in output.err
    assert "--archive=FILE" in output.err
    assert output.err.splitlines()[-1].endswith("the data set is shapes100_tiny, NOT cifar100")
    assert prepared.is_prepared(tmp_path, "shapes100_tiny")
    assert not (tmp_path / "cifar100").exists()


def test_a_download_is_checked_prepared_and_recorded(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Host(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(archive.parent))

        def log_message(self, *_arguments):
            pass

    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    spec = dataclasses.replace(SMALL, sha256={"cifar-100-binary.tar.gz": checksum})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{archive.name}"
        assert prepare.prepare(SourceConfig(dataset="auto", data_dir=str(tmp_path)), url=url, spec=spec) == "cifar100"
        server.shutdown()
    assert_whole(tmp_path)
    provenance = prepared.provenance(tmp_path, "cifar100")
    assert (provenance["how"], provenance["url"]) == ("download", url)
    assert provenance["official"] == "cifar-100-binary.tar.gz"


def test_a_writer_that_fails_leaves_nothing(archive, tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.datasets.canonical.tfds_examples", fail)
    with pytest.raises(errors.FailedError, match=r"cannot be written to .*No space left"):
        prepare.prepare(SourceConfig(data_dir=str(tmp_path), archive=str(archive)), spec=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [".prepare.lock"]


def test_a_stale_staging_folder_is_removed_by_the_next_writer(tmp_path):
    archives.write_folder(tmp_path / ".staging-dead" / "cifar100", {"half": b"x"})
    with prepared.lock(tmp_path), prepared.staging(tmp_path) as staged:
        assert sorted(path.name for path in tmp_path.iterdir()) == [".prepare.lock", staged.name]
    assert not prepared.is_prepared(tmp_path, "cifar100")


def test_a_folder_in_the_way_is_named_and_kept(tmp_path):
    mine = archives.write_folder(prepared.folder(tmp_path, "cifar100"), {"notes.txt": b"mine"})
    with prepared.lock(tmp_path), prepared.staging(tmp_path) as staged:
        archives.write_folder(prepared.folder(staged, "cifar100"), {"dataset_info.json": b"{}"})
        with pytest.raises(errors.FailedError, match=r"3\.0\.2 is in the way"):
            prepared.publish(staged, tmp_path, "cifar100", {})
    assert (mine / "notes.txt").read_bytes() == b"mine"


def test_one_killed_half_way_and_two_at_once_give_one_whole_data_set(archive, tmp_path, start):
    killed = start("-c", HALF_PREPARE, tmp_path, archive)
    assert killed.stdout.readline() == "half way\n"
    assert len(list(tmp_path.glob(".staging-*/cifar100/incomplete*"))) == 1
    both = [start("-c", SMALL_PREPARE, tmp_path, archive) for _ in range(2)]
    for process in both:
        assert "checking" in process.stderr.readline()
        assert "waiting for another prepare" in process.stderr.readline()
    killed.kill()
    killed.wait()
    assert not prepared.is_prepared(tmp_path, "cifar100")
    results = [process.communicate(timeout=60) for process in both]
    assert [(process.returncode, out) for process, (out, _) in zip(both, results, strict=True)] == [
        (0, "cifar100\n")
    ] * 2
    assert sum("is prepared in" in err for _, err in results) == 1
    assert sum("is already prepared in" in err for _, err in results) == 1
    assert_whole(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".prepare.lock", "cifar100"]


def test_the_binary_prints_only_the_name_on_stdout(small_data_dir, start):
    process = start("-m", "pipeline.prepare", "--dataset=auto", f"--data_dir={small_data_dir}")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "cifar100\n"), err


def test_versions_are_those_of_the_builders():
    from tensorflow_datasets.image_classification import cifar

    from pipeline.datasets.shapes100 import builder as shapes100

    builders = {"cifar100": cifar.Cifar100, "shapes100": shapes100.Shapes100, "shapes100_tiny": shapes100.Shapes100Tiny}
    assert {name: str(builder.VERSION) for name, builder in builders.items()} == prepared.VERSIONS


def test_the_binary_ends_a_bad_archive_with_one_line(tmp_path, start):
    escaping = tarfile.TarInfo("../escaped")
    path = archives.write_tar(tmp_path / "bad.tar.gz", archives.binary_files(), extra=(escaping,))
    process = start("-m", "pipeline.prepare", f"--archive={path}", f"--data_dir={tmp_path / 'data'}", "--dataset=auto")
    out, err = process.communicate(timeout=15)
    assert (process.returncode, out) == (2, "")
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [err.splitlines()[-1]]
    assert err.splitlines()[-1].startswith(
        f"error: --archive={path}: holds '../escaped', a path that escapes its folder"
    )
    assert not (tmp_path / "data").exists()


def test_importing_prepare_does_not_import_tensorflow():
    code = "import sys; from pipeline import prepare; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.real_data
def test_the_real_data_set_has_all_its_records(real_data_dir):
    info = json.loads((prepared.folder(real_data_dir, "cifar100") / "dataset_info.json").read_text())
    lengths = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
    assert lengths == {"train": 50_000, "test": 10_000}


@pytest.mark.real_data
def test_the_python_form_of_the_real_data_gives_the_same_records(cifar100_archive, real_data_dir, tmp_path):
    from pipeline.datasets import archive

    binary_form = archive.read(cifar100_archive, records.OFFICIAL, source="--archive")
    files = {
        split: archives.python2_pickle(archives.as_fields(split, part.rows))
        for split, part in (("train", binary_form.train), ("test", binary_form.test))
    }
    folder = archives.write_folder(tmp_path / "cifar-100-python", files)
    prepare.prepare(SourceConfig(data_dir=str(tmp_path), archive=str(folder)))
    assert shards(tmp_path) == shards(real_data_dir)
