"""The benchmark of `models.predict`: its files, and its rows."""

import itertools
import json

import numpy as np
import PIL.Image

from benchmarks.predict import __main__ as binary
from benchmarks.predict import cases
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig
from tests.binaries import call_here


def test_files_are_the_training_images_again_and_again(tiny_data_dir, tmp_path):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=1_500, cache="none")
    chunks = OpenedData(data).examples("train").as_numpy_iterator()
    images = np.concatenate([chunk["image"] for chunk in chunks])
    paths = list(cases.write_files(data, tmp_path, 1_100))
    assert len(set(paths)) == 1_100
    for path, image in zip(paths, itertools.cycle(images), strict=False):
        np.testing.assert_array_equal(PIL.Image.open(path), image)


def test_quick_form_writes_the_rows(tiny_data_dir, tmp_path, monkeypatch):
    flags = ("--quick", "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    predictions = [f"ours/predict/{name}" for name in cases.FORMATS]
    assert list(rows) == ["ours/evaluate", *predictions, "ours/growth/2000"]
    for name in predictions:
        assert rows[name]["median"] > 100
        assert rows[name]["ratio_of"] == [name, "ours/evaluate"]
    assert abs(rows["ours/growth/2000"]["median"]) < 200
