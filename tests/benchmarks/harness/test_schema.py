"""Committed results and the fields of a row agree with the schema."""

import collections
import dataclasses
import itertools
import json
import time

import jsonschema
import pytest

from benchmarks.harness import results, timing
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def row(name, unit, median, spread=0.02) -> results.Row:
    values = [median * (1 - spread), median, median * (1 + spread)]
    peer = name.split("/")[1] if name.startswith("peer/") else None
    kind = "ceiling" if "/ceiling/" in name else "step"
    return results.row(Labels(name, kind, peer=peer), unit, values, None)


def measured(data: DataConfig, slowed_by_s: float) -> list[results.Row]:
    """A real pipeline's row, its batches slowed down."""

    def batches():
        for batch in OpenedData(data).train(seed=0):
            time.sleep(slowed_by_s)
            yield batch

    case = Case(Labels("ours/train", "train"), lambda: collections.deque(itertools.islice(batches(), 30), 0), 3000)
    return [results.timed(timing.interleave([case], repeats=3)["ours/train"])]


def test_schema_names_the_fields_of_a_row():
    fields = [field.name for field in dataclasses.fields(results.Row)]
    schema = json.loads((RESULTS / "schema.json").read_text())
    assert list(schema["properties"]["rows"]["items"]["properties"]) == fields


def test_every_committed_result_keeps_the_schema():
    schema = json.loads((RESULTS / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    documents = {path.name: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    measured = {name: document for name, document in documents.items() if "benchmark" in document}
    assert len(measured) >= 5
    for document in measured.values():
        jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    "change", [{"rows": []}, {"command": "bench"}, {"rows": [{"name": "x", "unit": "s", "repeats": 1}]}]
)
def test_schema_refuses_what_is_no_result(change):
    document = json.loads((RESULTS / "startup.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, **change}, json.loads((RESULTS / "schema.json").read_text()))
