"""Committed results and the fields of a row agree with the schema."""

import dataclasses
import json

import jsonschema
import pytest

from benchmarks.harness import results
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"


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
