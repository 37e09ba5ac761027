"""The fields of `--budget=smoke` that most studies share."""

from typing import Any

# A few steps of a network of a few thousand parameters on any of the data sets.
SMOKE: dict[str, Any] = {
    "max_steps": 6,
    "batch_size": 64,
    "num_validation": 500,
    "jit_compile": "off",  # compiling takes longer than these steps
}
