"""What is compared, and which formats pass."""

import subprocess
import sys
import weakref

import numpy as np
import pytest
import tensorflow as tf

from models.exporting import checks, isolated
from models.exporting.checks import Answers
from pipeline.common import errors


def answers(fine: list[list[float]], coarse: list[list[float]] | None = None) -> Answers:
    outputs = {"fine": np.array(fine)} | ({"coarse": np.array(coarse)} if coarse else {})
    return Answers({name: one.argmax(axis=1) for name, one in outputs.items()}, outputs)


RIGHT = answers([[0.6, 0.4], [0.2, 0.8]], [[0.9, 0.1], [0.7, 0.3]])
LABELS = {"fine": np.array([0, 0]), "coarse": np.array([0, 0])}


def test_figures_are_shares_of_equal_and_of_right_answers():
    row = checks.compared(answers([[0.4, 0.6], [0.25, 0.75]], [[0.9, 0.1], [0.6, 0.4]]), RIGHT, LABELS)
    assert (row["agreement"], row["coarse_agreement"]) == (0.5, 1.0)
    assert (row["accuracy"], row["coarse_accuracy"]) == (0.0, 1.0)
    assert row["largest_difference"] == pytest.approx(0.2)


def test_one_output_has_no_coarse_figures():
    row = checks.compared(answers([[1, 0], [0, 1]]), answers([[1, 0], [0, 1]]), {"fine": np.array([0, 1])})
    assert (row["agreement"], row["accuracy"], row["coarse_agreement"], row["coarse_accuracy"]) == (1, 1, None, None)


def test_missing_output_is_an_error():
    with pytest.raises(errors.FailedError, match="outputs"):
        checks.compared(answers([[1, 0], [0, 1]]), RIGHT, LABELS)


EXPECTED = {"accuracy": 0.6, "coarse_accuracy": 0.8}


def row(agreement=1.0, coarse=1.0, accuracy=0.6, coarse_accuracy=0.8, difference=1e-6):
    return {
        "agreement": agreement,
        "coarse_agreement": coarse,
        "accuracy": accuracy,
        "coarse_accuracy": coarse_accuracy,
        "largest_difference": difference,
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("litert", {"agreement": 0.998}),
        ("onnx", {"coarse": 0.99}),
        ("keras", {"difference": float("nan")}),
        ("litert_int8", {"accuracy": 0.2}),
        ("litert_int8", {"coarse_accuracy": 0.3}),
        ("litert_int8", {"difference": float("inf")}),
    ],
)
def test_formats_that_answer_otherwise_fail(name, values):
    with pytest.raises(errors.FailedError):
        checks.check(name, row(**values), EXPECTED, 1000)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"agreement": 0.98, "coarse": 0.99}, r"fine .*98\.00 %"),
        ({"coarse": 0.99}, r"coarse .*99\.00 %"),
        ({"agreement": 0.98, "coarse": None}, r"only .*98\.00 %"),
    ],
)
def test_output_that_agrees_least_is_named(values, part):
    with pytest.raises(errors.FailedError, match=f"^its {part}"):
        checks.check("onnx", row(**values), EXPECTED, 1000)


@pytest.mark.parametrize(
    ("name", "values", "num_images"),
    [
        ("litert", {"agreement": 0.999, "coarse": None}, 1000),
        ("litert_int8", {"agreement": 0.9, "accuracy": 0.55}, 1000),
        ("litert_int8", {"accuracy": 0.2, "coarse_accuracy": 0.4}, 10),  # too few to tell
    ],
)
def test_formats_that_round_pass(name, values, num_images):
    checks.check(name, row(**values), EXPECTED, num_images)


def test_one_output_of_integers_is_compared_alone():
    checks.check("litert_int8", row(coarse=None, coarse_accuracy=None), {**EXPECTED, "coarse_accuracy": None}, 1000)


def test_interval_is_wilsons():
    """Table of Newcombe 1998, Statistics in Medicine 17: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert checks.interval(right / count, count) == pytest.approx((low, high), abs=1e-4)


def test_process_of_a_runtime_cannot_import_the_project(tmp_path):
    program = f"import runpy, sys\nscript = runpy.run_path({isolated.__file__!r})\n"
    program += "sys.meta_path.insert(0, script['NoProject']())\nimport numpy\n"
    program += "for name in ('pipeline', 'models.layers', 'tuning', 'benchmarks'):\n"
    program += "    try:\n        __import__(name)\n"
    program += "    except ImportError as error:\n        print('of the project' in str(error))"
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["True"] * 4


def test_of_images_beyond_those_compared_no_probabilities_are_kept(tmp_path, monkeypatch):
    answered, most_alive = [], 0

    def predict(images):
        nonlocal most_alive
        most_alive = max(most_alive, sum(answer() is not None for answer in answered))
        fine = np.full((len(images), 2), np.float32(0.5))
        answered.append(weakref.ref(fine))
        return {"fine": fine}

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(isolated, "load", lambda *_: predict)
    np.save(tmp_path / "images.npy", np.zeros((8 * isolated.BATCH, 1, 1, 3), np.uint8))
    isolated.main("keras", "", str(tmp_path / "images.npy"), str(tmp_path / "answers.npz"), str(isolated.BATCH))
    assert most_alive <= 2  # the first and the last
    with np.load(tmp_path / "answers.npz") as found:
        assert found["fine"].shape == (isolated.BATCH, 2)
        assert found["fine_class"].tolist() == [0] * 8 * isolated.BATCH


def test_file_that_its_runtime_refuses_is_one_line(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"none")
    np.save(tmp_path / "images.npy", np.zeros((2, 8, 8, 3), np.uint8))
    images = checks.Images("validation", tmp_path / "images.npy", LABELS)
    with pytest.raises(errors.FailedError, match="Flatbuffer") as caught:
        checks.answers_elsewhere("litert", tmp_path / "model.tflite", images)
    assert "\n" not in str(caught.value)


def test_runtimes_see_no_gpu(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("import os, sys\nsys.exit('devices ' + os.environ.get('CUDA_VISIBLE_DEVICES', 'all'))")
    monkeypatch.setattr(isolated, "__file__", str(script))
    images = checks.Images("validation", tmp_path / "images.npy", LABELS)
    with pytest.raises(errors.FailedError, match=r"devices -1$"):
        checks.answers_elsewhere("litert", tmp_path / "model.tflite", images)


@pytest.mark.parametrize("before", [True, False])
def test_tf32_is_off_and_restored(before):
    config = tf.config.experimental
    usual = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(before)
    try:
        with checks.without_tf32():
            assert not config.tensor_float_32_execution_enabled()
        assert config.tensor_float_32_execution_enabled() == before
    finally:
        config.enable_tensor_float_32_execution(usual)


@pytest.mark.slow
def test_file_with_layers_of_this_project_is_refused(tiny_run, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((2, 32, 32, 3), np.uint8))
    images = checks.Images("validation", tmp_path / "images.npy", LABELS)
    with pytest.raises(errors.FailedError, match="PixelScaling"):
        checks.answers_elsewhere("keras", tiny_run.model, images)
