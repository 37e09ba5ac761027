"""The benchmark of `models.predict`: its files, and its rows."""

import itertools
import json

import numpy as np
import PIL.Image

from benchmarks.predict import __main__ as binary
from benchmarks.predict import cases
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig
from pipeline.datasets import png
from tests.binaries import call_here


def test_files_are_the_training_images_again_and_again(tiny_data_dir, tmp_path):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=1_500, cache="none")
    chunks = OpenedData(data).examples("train").as_numpy_iterator()
    images = np.concatenate([chunk["image"] for chunk in chunks])
    assert len(list(cases.write_files(data, tmp_path, 1_100))) == 1_100
    paths = {encoding: cases.files(tmp_path, encoding) for encoding in cases.ENCODINGS}
    for image, small, large in zip(itertools.cycle(images), *paths.values(), strict=False):
        assert small.name == large.name
        np.testing.assert_array_equal(PIL.Image.open(small), image)
        assert large.read_bytes() == png.encode(image)
    assert [len(found) for found in paths.values()] == [1_100, 1_100]


def test_quick_form_writes_the_rows(tiny_data_dir, tmp_path, monkeypatch):
    flags = ("--quick", "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--out={tmp_path / 'out.json'}")
    assert call_here(monkeypatch, binary.main, binary.flags, *flags) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    of_files = [f"ours/{kind}/{encoding}" for encoding in cases.ENCODINGS for kind in ("decode", "predict")]
    assert list(rows) == ["ours/evaluate", *of_files, "ours/growth/2000"]
    for name in of_files:
        assert rows[name]["median"] > 100
    assert {name: row["ratio_of"][1] for name, row in rows.items() if "ratio_of" in row} == {
        "ours/evaluate": "ours/predict/stored",
        "ours/predict/compressed": "ours/decode/compressed",
        "ours/predict/stored": "ours/decode/stored",
    }
    assert abs(rows["ours/growth/2000"]["median"]) < 200
