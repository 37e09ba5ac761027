"""What a benchmark's row measures, as fields, from its name."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

_PATTERNS = (
    r"(?P<kind>train)/(?P<cache>\w+)/(?P<batch_size>\d+)",
    r"(?P<kind>train)/(?P<cache>\w+)/(?P<batch_size>\d+)/window_(?P<shuffle_buffer>\d+)",
    r"(?P<kind>train)/(?P<cache>\w+)/(?P<batch_size>\d+)/threads_(?P<threads>\d+)",
    r"(?P<kind>ceiling)/(?P<loader>\w+)",
    r"(?P<kind>peak|steady)/(?P<views>\d+)",
    r"(?P<kind>limit)_(?P<limit_gib>\w+)GiB/(?P<views>\d+)",
    r"(?P<kind>leak)",
    r"(?P<kind>stage)/(?P<stage>\w+)",
    r"(?P<kind>size)/(?P<cache>\w+)/(?P<num_images>\d+)",
    r"(?P<kind>batch)/(?P<batch_size>\d+)",
    r"(?P<recipe>\w+)/(?P<precision>float32|mixed_bfloat16)",
    r"(?P<recipe>\w+)/(?P<precision>float32|mixed_bfloat16)/(?P<kind>bare|one_batch|waits_for_data)",
    r"(?P<loader>.+)",
)


def with_fields(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows, each with the fields that its name has: peer (None for ours), kind, recipe, cache, ..."""
    return [{**_fields(row["name"]), **row} for row in rows]


def _fields(name: str) -> dict[str, Any]:
    origin, _, rest = name.partition("/")
    peer, rest = rest.split("/", 1) if origin == "peer" else (None, rest)
    match = next(match for pattern in _PATTERNS if (match := re.fullmatch(pattern, rest)))
    fields: dict[str, Any] = {key: int(text) if text.isdigit() else text for key, text in match.groupdict().items()}
    return {"peer": peer, "kind": "step" if "recipe" in fields else "feed", **fields}
