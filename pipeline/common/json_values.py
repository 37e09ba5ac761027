"""JSON values: parsed strictly, and checked by JSON Schema.

A schema names the keys that this version reads; others may be there.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_FINITE = {"minimum": -1e300, "maximum": 1e300}  # JSON's whole numbers may be larger, and become no floats
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
INTEGER: Schema = {"type": "integer", "minimum": -(2**63), "maximum": 2**63}
COUNT: Schema = {**INTEGER, "minimum": 0}
SIZE: Schema = {**INTEGER, "minimum": 1}
NUMBER: Schema = {"type": "number", **_FINITE}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"], **_FINITE}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}


def required(properties: Schema, **optional: Schema) -> Schema:
    """The schema of an object that has these properties, and may have the `optional` ones."""
    return {"type": "object", "required": list(properties), "properties": {**properties, **optional}}


def array(items: Schema, **limits: int) -> Schema:
    """The schema of a list of such items; `limits` are `minItems` and `maxItems`."""
    return {"type": "array", "items": items, **limits}


def mapping(values: Schema) -> Schema:
    """The schema of an object with any keys and such values."""
    return {"type": "object", "additionalProperties": values}


def parse(data: bytes | str, schema: Mapping[str, Any] | None = None) -> Any:
    """The value of a JSON text; ValueError where it is none or breaks the schema.

    A number that is not finite and a key that an object has twice are a ValueError too.
    """
    if not data.strip():
        raise ValueError("it is empty")
    try:
        value = json.loads(data, parse_constant=_finite, parse_float=_finite, object_pairs_hook=_without_duplicates)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if schema:
        check(value, schema)
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has {next(name for name in names if names.count(name) > 1)!r} twice")
    return values


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no finite number")
    return number


def check(value: Any, schema: Mapping[str, Any]) -> None:
    """Raise ValueError, which says where, unless a value keeps a JSON Schema."""
    from jsonschema import Draft202012Validator, exceptions  # not needed by --help

    problem = exceptions.best_match(Draft202012Validator(schema).iter_errors(value))
    if problem is not None:
        expected = f"expected {problem.validator} {problem.validator_value}"
        text = problem.message if problem.validator == "required" else expected  # others quote the whole value
        raise ValueError(f"{problem.json_path}: {text}")
