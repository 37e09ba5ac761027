"""The binary on a run of a few steps: its rows are those of images that are corrupted beforehand."""

import json
import statistics

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.robustness import __main__ as binary
from benchmarks.robustness import outliers, rows, stream
from benchmarks.robustness.corruptions import EXTRA, STANDARD, corrupt
from benchmarks.robustness.measurement import Measurement
from models.config import from_preset, saved
from models.reporting import figures
from models.runs.folder import RunFolder, open_locked
from models.training import loop
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from tests.binaries import call_here
from tests.conftest import shared_folder
from tests.prepared_copies import with_other_records


@pytest.fixture(scope="module")
def run_dir(tiny_data_dir, tmp_path_factory) -> str:
    with shared_folder(tmp_path_factory, "robustness") as folder:
        small = {"num_validation": 500, "max_steps": 30, "precision": "float32"}
        data, train = from_preset("linear", dataset="shapes100_tiny", data_dir=tiny_data_dir, **small)
        if not (folder / "report.json").exists():
            with open_locked(folder, saved.document(data, train), {}) as run:
                loop.train(data, train, run=run, verbose=0)
    return str(folder)


@pytest.fixture(scope="module")
def official_test(tiny_data_dir) -> dict[str, np.ndarray]:
    data, _ = from_preset("linear", dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500)
    return next(OpenedData(data).evaluation("test").as_numpy_iterator())


def measured(monkeypatch, tmp_path, *flags: str) -> dict:
    assert call_here(monkeypatch, binary.main, binary.flags, *flags, f"--out={tmp_path / 'out.json'}") == 0
    return json.loads((tmp_path / "out.json").read_text())


def test_rows_are_of_the_corrupted_images(run_dir, official_test, tmp_path, monkeypatch, capsys):
    flags = ("--corruptions=fog,speckle_noise", "--severities=1,4", "--num_images=60", f"--run_dir={run_dir}")
    document = measured(monkeypatch, tmp_path, *flags)
    found = {row["name"]: row["median"] for row in document["rows"]}
    model = tf.keras.models.load_model(f"{run_dir}/model.keras", compile=False)
    for name, severity in (("fog", 4), ("speckle_noise", 1)):
        images = [corrupt(official_test["image"][place], name, severity, stream.SEED, place) for place in range(60)]
        predicted = model(np.stack(images))["fine"].numpy().argmax(1)
        expected = 100 * np.mean(predicted == official_test["fine"][:60])
        assert found[f"ours/{name}/{severity}/fine_accuracy"] == pytest.approx(expected, abs=0.001)
    assert {"ours/clean/fine_accuracy", "ours/clean/coarse_accuracy"} < found.keys()
    assert [name for name in found if "mean" in name] == []  # of all corruptions and severities alone
    assert {row["outliers"] for row in document["rows"] if "outliers" in row} == {"uniform_noise", "normal_noise"}
    assert all(0 <= value <= 100 for value in found.values())
    assert (document["dataset"], document["evaluated_records"]) == ("shapes100_tiny", figures.SAME_RECORDS)
    assert document["runs"][0]["report"]["preset"] == "linear"
    shown, warned = capsys.readouterr()
    assert "records" not in warned
    assert {"speckle noise", "severity 4", "AUROC"} <= {text.strip() for text in shown.replace("  ", "\n").split("\n")}


def test_quick_form_takes_few_images_and_severities(run_dir, tmp_path, monkeypatch):
    flags = ("--quick", "--corruptions=fog", "--ood=", f"--run_dir={run_dir}")
    rows_of_fog = [row for row in measured(monkeypatch, tmp_path, *flags)["rows"] if "corruption" in row]
    assert {(row["severity"], row["num_images"]) for row in rows_of_fog} == {(1, 100), (5, 100)}


def test_clean_accuracy_is_that_of_the_whole_split(run_dir, official_test, tmp_path, monkeypatch):
    flags = ("--corruptions=contrast", "--severities=1", "--ood=", f"--run_dir={run_dir}")
    found = {row["name"]: row for row in measured(monkeypatch, tmp_path, *flags)["rows"]}
    model = tf.keras.models.load_model(f"{run_dir}/model.keras", compile=False)
    predicted = model(official_test["image"])["fine"].numpy().argmax(1)
    clean = found["ours/clean/fine_accuracy"]
    assert (clean["median"], clean["num_images"]) == (
        pytest.approx(100 * np.mean(predicted == official_test["fine"])),
        500,
    )
    assert not any("outliers" in row for row in found.values())


def test_other_records_are_reported(run_dir, tiny_data_dir, tmp_path, monkeypatch, capsys):
    data_dir = with_other_records(tiny_data_dir, tmp_path / "data")
    few = ("--corruptions=contrast", "--severities=1", "--ood=", "--num_images=5")
    document = measured(monkeypatch, tmp_path, *few, f"--run_dir={run_dir}", f"--data_dir={data_dir}")
    assert document["evaluated_records"] == figures.OTHER_RECORDS
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert "OTHER records" in warning


@pytest.fixture
def measurement_of(run_dir):
    """A function from settings of the data to a measurement of 4 images."""
    data, _ = saved.configs(RunFolder(run_dir).config())
    return lambda **settings: Measurement(RunFolder(run_dir), data.replace(**settings), 4)


def test_figures_are_computed_under_default_settings(measurement_of, monkeypatch):
    measurement, policies = measurement_of(), []

    def seen(result):
        return lambda *_, **__: policies.append(keras.config.dtype_policy().name) or result

    monkeypatch.setattr(measurement, "_evaluate", seen({"fine_accuracy": 0.5}))
    monkeypatch.setattr(measurement, "_logits_of", seen(tf.zeros([EVAL_BATCH_SIZE, 100])))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = [*measurement.accuracies(["contrast"], [5]), *measurement.detections(["uniform_noise"])]
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    assert len(found) == 6
    assert policies == ["float32"] * 4  # clean, contrast, test, noise


def test_other_images_are_cropped_as_those_of_test(measurement_of, monkeypatch):
    measurement, scored = measurement_of(crop_size=24), []
    logits = tf.zeros([EVAL_BATCH_SIZE, 100])
    monkeypatch.setattr(measurement, "_logits_of", lambda images: scored.append(np.asarray(images)) or logits)
    list(measurement.detections(["uniform_noise"]))
    _, others = scored
    expected = [image[4:28, 4:28] for image in outliers.read("uniform_noise", 32, 4)]
    assert np.array_equal(others[:4], expected)


def test_stream_is_limited_and_padding_is_left_alone(official_test):
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 8, 8, 3), np.uint8)
    batches = tf.data.Dataset.from_tensor_slices({"image": images, "mask": np.ones(5, bool)}).batch(3)
    padded = batches.map(lambda batch: {name: tf.concat([value, value[:1]], 0)[:3] for name, value in batch.items()})
    first = list(stream.limited(padded, 4, 3).as_numpy_iterator())
    assert np.concatenate([batch["mask"] for batch in first]).tolist() == [True] * 4 + [False] * 2
    bright = list(stream.corrupted(stream.limited(padded, 4, 3), "brightness", 5).as_numpy_iterator())
    changed = [np.any(one["image"] != other["image"], axis=(1, 2, 3)) for one, other in zip(first, bright, strict=True)]
    assert np.concatenate(changed).tolist() == [True] * 4 + [False] * 2
    _, second = stream.corrupted(padded, "gaussian_noise", 3).as_numpy_iterator()
    assert np.array_equal(second["image"][0], corrupt(images[3], "gaussian_noise", 3, stream.SEED, 3))


def test_means_are_over_all_of_their_corruptions():
    cases = {(name, severity): 0.01 * severity for name in STANDARD for severity in range(1, 6)}
    found = {case: {"fine": value} for case, value in cases.items()}
    (mean,) = rows.means(found, 10)
    assert (mean.name, mean.median) == ("ours/mean_corruption/fine_accuracy", 3.0)
    found |= {(name, severity): {"fine": 0.5} for name in EXTRA for severity in range(1, 6)}
    assert [row.median for row in rows.means(found, 10)] == [3.0, 50.0]
    del found["fog", 3]
    assert [row.kind for row in rows.means(found, 10)] == ["mean_extra_corruption"]


def test_table_has_a_line_for_each_corruption():
    of_level = [
        *rows.accuracies("", 0, {"fine": 0.8}, 10),
        *rows.accuracies("fog", 1, {"fine": 0.6}, 10),
        *rows.accuracies("fog", 3, {"fine": 0.5}, 10),
    ]
    assert rows.accuracy_texts(of_level) == [
        ["corruption", "severity 1", "severity 3", "mean"],
        ["none (clean images)", "", "", "80.00"],
        ["fog", "60.00", "50.00", f"{statistics.mean((60, 50)):.2f}"],
    ]


def test_values_stand_under_their_severities():
    found = [("fog", 5, 0.2), ("fog", 1, 0.8), ("snow", 5, 0.4)]  # in the order of --severities=5,1, interrupted
    of_level = [row for name, severity, value in found for row in rows.accuracies(name, severity, {"fine": value}, 10)]
    assert rows.accuracy_texts(of_level) == [
        ["corruption", "severity 1", "severity 5", "mean"],
        ["fog", "80.00", "20.00", "50.00"],
        ["snow", "", "40.00", ""],
    ]


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("--corruptions=fog,fog", 2),
        ("--corruptions=rain", 2),
        ("--severities=6", 2),
        ("--num_images=501", 2),
        ("--ood=shapes100", 2),
        ("--ood=folder:missing", 2),
    ],
)
def test_bad_values_are_refused_in_one_line(run_dir, monkeypatch, capsys, flag, code):
    assert call_here(monkeypatch, binary.main, binary.flags, flag, f"--run_dir={run_dir}") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {flag[2:].partition('=')[0]}=")


@pytest.mark.parametrize(("heads", "levels"), [("fine", {"fine", "coarse"}), ("coarse", {"coarse"})])
def test_runs_of_one_head_have_the_levels_that_they_predict(tiny_data_dir, tmp_path, heads, levels):
    small = {"num_validation": 500, "max_steps": 1, "precision": "float32", "heads": heads}
    data, train = from_preset("linear", dataset="shapes100_tiny", data_dir=tiny_data_dir, **small)
    with open_locked(tmp_path, saved.document(data, train), {}) as run:
        loop.train(data, train, run=run, verbose=0)
        measurement = Measurement(run, data, 30)
    found = [*measurement.accuracies(["contrast"], [5]), *measurement.detections(["uniform_noise"])]
    assert {row.metric for row in found if row.kind == "corruption"} == {f"{level}_accuracy" for level in levels}
    assert {row.score for row in found if row.outliers} == {"max_softmax", "energy"}
