"""The stream of training batches and the evaluation batches are byte for byte those recorded with the canonical order.

Each entry of stream_hashes.json has the arguments of `stream_hash`, the sha256 over the bytes of every column of every
batch, columns by name, and the dtypes and shapes of the columns.
"""

import hashlib
import itertools
import json
import pathlib
from typing import Any

import pytest

from pipeline import prepare
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig, SourceConfig

RECORDED = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def stream_hash(data_dir: str, dataset: str, cache: str, split: str, changes: dict[str, Any]) -> dict[str, Any]:
    """100 batches of "train" from step 70 on, or all batches of "validation" or "test"."""
    opened = OpenedData(DataConfig(data_dir=data_dir, dataset=dataset, cache=cache, **changes))
    if split == "train":
        stream = opened.train(RECORDED["seed"], RECORDED["start_step"]).map(opened.whole)
        batches = itertools.islice(stream.as_numpy_iterator(), RECORDED["train_batches"])
    else:
        batches = opened.evaluation(split).as_numpy_iterator()
    total, num_batches, columns = hashlib.sha256(), 0, {}
    for batch in batches:
        columns = {name: [str(batch[name].dtype), list(batch[name].shape)] for name in sorted(batch)}
        for name in columns:
            total.update(batch[name].tobytes())
        num_batches += 1
    return {"sha256": total.hexdigest(), "num_batches": num_batches, "columns": columns}


def check_against_recorded(data_dir: str, dataset: str, cache: str) -> None:
    recorded = "memory" if cache == "device" else cache
    entries = [entry for entry in RECORDED["entries"] if (entry["dataset"], entry["cache"]) == (dataset, recorded)]
    assert [entry["split"] for entry in entries] == ["train", "validation", "test"]
    for entry in entries:
        found = stream_hash(data_dir, dataset, cache, entry["split"], entry["changes"])
        assert found == {name: entry[name] for name in found}, entry["split"]


@pytest.fixture(scope="module")
def shapes100_data_dir(tmp_path_factory) -> str:
    """A data folder with the whole shapes100, which takes minutes."""
    folder = str(tmp_path_factory.mktemp("shapes100"))
    prepare.prepare(SourceConfig(dataset="shapes100", data_dir=folder))
    return folder


@pytest.mark.parametrize("cache", ["memory", "device", "disk", "none"])
def test_streams_of_shapes100_tiny_are_those_of_earlier_versions(tiny_data_dir, cache):
    check_against_recorded(tiny_data_dir, "shapes100_tiny", cache)


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_streams_of_shapes100_are_those_of_earlier_versions(shapes100_data_dir, cache):
    check_against_recorded(shapes100_data_dir, "shapes100", cache)
