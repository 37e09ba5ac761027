"""The folder of an export: what it holds, what it replaces, and what becomes of formats that fail."""

import importlib.metadata
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.publish import export_table
from models import export as binary
from models.exporting import checks, export, folder, formats, labels, writers
from models.runs.folder import RunFolder
from pipeline.common import errors
from tests.binaries import call_here
from tests.models.exporting.conftest import FAST, TEMPERATURES, train_run
from tests.prepared_copies import with_other_records

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
ROW = {
    **dict.fromkeys(("agreement", "accuracy", "coarse_agreement", "coarse_accuracy"), 1.0),
    **dict.fromkeys(("largest_difference", "ms_per_image", "ms_per_image_of_100"), 0.0),
    "bytes": 4,
    "runtime": {"keras": "3.1"},
}


@pytest.fixture
def keras_alone(monkeypatch):
    """No format is written for real: keras succeeds at once, and the others fail."""

    def exported(name, staging, *_):
        (staging / formats.PATHS[name]).write_bytes(b"some")
        if name != "keras":
            raise ValueError("no such\nconverter")
        return {"format": name, "path": formats.PATHS[name], **ROW}

    monkeypatch.setattr(export, "_exported", exported)


def opened(run: RunFolder) -> export._Source:
    return export._open(run, "")[0]


def test_formats_agree_with_the_float32_model(document):
    rows = {row["format"]: row for row in document["formats"]}
    assert tuple(rows) == FAST
    assert document["failed"] == []
    assert rows["litert"]["agreement"] >= 0.999
    assert rows["litert"]["coarse_agreement"] >= 0.999
    assert rows["litert"]["largest_difference"] < 1e-4
    assert rows["litert"]["accuracy"] == pytest.approx(document["float32"]["accuracy"], abs=0.002)
    assert rows["litert_int8"]["bytes"] < rows["litert"]["bytes"]
    assert rows["litert_int8"]["largest_difference"] > rows["litert"]["largest_difference"]
    # In integers, the nearly equal probabilities of such a network would be equal, and its answer always the first.
    assert min(rows["litert_int8"]["agreement"], rows["litert_int8"]["coarse_agreement"]) > 0.9
    version = importlib.metadata.version("ai-edge-litert")
    assert [row["runtime"] for row in rows.values()] == [{"ai-edge-litert": version}] * 2
    assert all(row["ms_per_image"] > 0 and row["ms_per_image_of_100"] > 0 for row in rows.values())


def test_accuracies_are_those_that_the_training_reported(document, tiny_run):
    reported = tiny_run.report()
    assert (document["split"], document["num_images"], document["num_compared"]) == ("validation", 500, 500)
    assert document["trained"]["accuracy"] == pytest.approx(reported["fine_accuracy"], abs=1e-9)
    assert document["trained"]["coarse_accuracy"] == pytest.approx(reported["coarse_from_fine_accuracy"], abs=0.005)
    assert document["trained"]["precision"] == "float32"


def test_folder_holds_what_is_listed_and_sizes_are_those_of_the_files(exported, document):
    names = {row["path"] for row in document["formats"]}
    assert {path.name for path in exported.iterdir()} == names | {"export.json", "labels.json", "MODEL_CARD.md"}
    for row in document["formats"]:
        assert (exported / row["path"]).stat().st_size == row["bytes"]
    assert set(document["files"]) == names | {"labels.json", "MODEL_CARD.md"}
    folder.check(exported)


def test_labels_and_temperatures_lie_beside_and_inside_of_the_files(exported, document, tiny_run):
    values = json.loads((exported / "labels.json").read_text())
    classes = tiny_run.description().classes
    assert (tuple(values["fine"]), tuple(values["coarse"])) == (classes.fine, classes.coarse)
    assert tuple(values["fine_to_coarse"]) == classes.fine_to_coarse
    assert (values["image_size"], values["input_size"]) == (32, 32)
    assert values["temperatures"] == TEMPERATURES == document["temperatures"]
    for row in document["formats"]:
        with zipfile.ZipFile(exported / row["path"]) as archive:
            assert json.loads(archive.read("labels.json")) == values
            assert archive.getinfo("labels.json").date_time[0] == 1980  # no time: equal exports have equal bytes


def test_labels_of_a_cropped_run_have_both_sizes(tiny_run):
    values = json.loads(labels.as_json(tiny_run.description(), 24, {}))
    assert (values["image_size"], values["input_size"]) == (32, 24)


def test_keras_file_has_the_temperatures_and_labels_and_loads(tiny_run, tmp_path):
    source, path = opened(tiny_run), tmp_path / "model.keras"
    writers.write("keras", path, source.stock, np.zeros(0))
    labels.add("keras", path, "{}")
    logits = source.model(IMAGES)["fine"].numpy()
    scaled = np.exp(logits / TEMPERATURES["fine"])
    answers = keras.saving.load_model(path)(IMAGES)
    np.testing.assert_allclose(answers["fine"], scaled / scaled.sum(axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(answers["coarse"].numpy().sum(axis=1), 1, atol=1e-5)
    assert zipfile.ZipFile(path).read("labels.json") == b"{}"


def test_litert_files_have_a_resizable_batch_of_uint8_and_operations_that_are_built_in(exported):
    from ai_edge_litert.interpreter import Interpreter

    for name in ("model.tflite", "model_int8.tflite"):
        interpreter = Interpreter(str(exported / name))
        (details,) = interpreter.get_input_details()
        assert details["dtype"] == np.uint8
        assert details["shape"].tolist() == [1, 32, 32, 3]
        assert details["shape_signature"].tolist() == [-1, 32, 32, 3]
        assert not [one for one in interpreter._get_ops_details() if one["op_name"].startswith(("Flex", "CUSTOM"))]
    kernels = [one for one in interpreter.get_tensor_details() if one["shape"].tolist()[1:] == [3, 3, 8]]
    assert [len(one["quantization_parameters"]["scales"]) for one in kernels] == [16]  # a step for each filter


def test_format_that_cannot_be_written_is_named_and_the_others_stay(
    keras_alone, tiny_run, tmp_path, monkeypatch, capsys
):
    arguments = (f"--run_dir={tiny_run.path}", f"--out={tmp_path / 'out'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *arguments, "--format=litert,keras") == 1
    out, err = capsys.readouterr()
    last = err.splitlines()[-1]
    assert last.startswith("error: format=litert: ")
    assert "no such converter; leave out of --format" in last
    assert "keras" in out
    document = json.loads((tmp_path / "out" / "export.json").read_text())
    assert [row["format"] for row in document["formats"]] == ["keras"]
    assert [one["format"] for one in document["failed"]] == ["litert"]
    assert not (tmp_path / "out" / "model.tflite").exists()
    # An earlier export is replaced where some formats succeed, and kept where none does.
    before = (tmp_path / "out" / "export.json").read_bytes()
    assert call_here(monkeypatch, binary.main, binary.flags, *arguments, "--format=litert") == 1
    assert "nothing was written" in capsys.readouterr().err.splitlines()[-1]
    assert (tmp_path / "out" / "export.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_run_without_validation_is_checked_on_training_images(keras_alone, tiny_data_dir, tmp_path, monkeypatch):
    answers_here, are_with_tf32 = checks.answers_here, []

    def observed(*arguments):
        are_with_tf32.append(tf.config.experimental.tensor_float_32_execution_enabled())
        return answers_here(*arguments)

    monkeypatch.setattr(checks, "answers_here", observed)
    monkeypatch.setattr(checks, "NUM_COMPARED", 150)
    run = train_run(tmp_path / "run", tiny_data_dir, 0, architecture="linear", heads="coarse", max_steps=2)
    document = export.export(run, ("keras",), tmp_path / "out", tiny_data_dir)
    assert (document["split"], document["num_images"], document["num_compared"]) == ("train", 150, 150)
    assert are_with_tf32 == [True, False]  # the model in float32 is the second
    assert document["accuracy_of"] == "coarse"
    assert document["trained"]["coarse_accuracy"] is None


def test_data_set_with_other_records_and_one_that_is_missing_are_refused(tiny_run, tiny_data_dir, tmp_path):
    other = with_other_records(tiny_data_dir, tmp_path / "other")
    with pytest.raises(errors.BadArgumentError, match=rf"^data_dir={other}: .*other records"):
        export.export(tiny_run, ("keras",), tmp_path / "out", other)
    with pytest.raises(errors.FailedError, match=rf"^data_dir={tmp_path / 'none'}: .*not prepared"):
        export.export(tiny_run, ("keras",), tmp_path / "out", str(tmp_path / "none"))
    assert not (tmp_path / "out").exists()


def test_images_of_the_check_lie_on_the_disk_of_the_export(keras_alone, tiny_run, tmp_path, monkeypatch):
    write_images, folders = checks.write_images, []

    def observed(opened, folder, split):
        folders.append(folder)
        return write_images(opened, folder, split)

    monkeypatch.setattr(checks, "write_images", observed)
    document = export.export(tiny_run, ("keras",), tmp_path / "out")
    assert folders[0].parent.parent == tmp_path
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*document["files"], "export.json"}
    assert set(document["files"]) == {"model.keras", "labels.json", "MODEL_CARD.md"}


def test_full_disk_is_one_line_and_leaves_nothing(tiny_run, tmp_path, mount_tmpfs, monkeypatch, capsys):
    mount_tmpfs(tmp_path, 2**16)
    arguments = (f"--run_dir={tiny_run.path}", f"--out={tmp_path / 'out'}", "--format=keras")
    assert call_here(monkeypatch, binary.main, binary.flags, *arguments) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: out={tmp_path / 'out'}: ")
    assert "No space" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "part"), [("tflite", "format=tflite: "), ("keras,keras", "format=keras,keras: "), ("", "format=: ")]
)
def test_wrong_formats_are_refused(value, part):
    with pytest.raises(errors.BadArgumentError, match=f"^{part}expected some of .*litert_int8"):
        formats.check([name for name in value.split(",") if name])


def test_missing_packages_of_onnx_name_the_extra(monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.BadArgumentError, match=r"^format=keras,onnx: .*tf2onnx.*\.\[onnx\]"):
        formats.check(["keras", "onnx"])
    formats.check(["keras", "litert"])


def test_least_exact_layers_are_in_order(tiny_run):
    with writers.without_messages():
        layers = writers.least_exact_layers(opened(tiny_run).stock, IMAGES, IMAGES)
    assert len(layers) == writers.NUM_LAYERS
    sizes = [layer["error"] for layer in layers]
    assert sizes == sorted(sizes, reverse=True)
    assert 0.01 < sizes[0] < 100
    assert {layer["operation"] for layer in layers} & {"CONV_2D", "FULLY_CONNECTED", "MUL", "SOFTMAX", "ADD"}


def test_folder_without_a_run_is_refused(tmp_path, monkeypatch, capsys):
    assert call_here(monkeypatch, binary.main, binary.flags, f"--run_dir={tmp_path / 'none'}") == 2
    assert capsys.readouterr().err.startswith(f"error: run_dir={tmp_path / 'none'}: ")
    assert not (tmp_path / "none").exists()


def test_figures_are_a_file_with_the_command_and_without_digests(keras_alone, tiny_run, tmp_path, monkeypatch):
    path = tmp_path / "results" / "quick.json"
    flags = (f"--run_dir={tiny_run.path}", f"--out={tmp_path / 'out'}", "--format=keras", f"--figures={path}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    written, document = (json.loads(file.read_text()) for file in (path, tmp_path / "out" / "export.json"))
    assert written.pop("command").startswith("python -m models.export")
    assert document.pop("files")
    assert written == document
    assert len(export_table.table(path.parent)) == 5
