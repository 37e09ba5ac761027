"""README's table of training steps, drawn from what `benchmarks.train_step` wrote."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common import markdown_table

NAMES = {"resnet18": "ResNet-18", "wrn_16_4": "WRN-16-4"}  # of recipes that are no presets
HALF, FULL = "mixed_bfloat16", "float32"
HEADING = (
    "recipe",
    "whole step, float32",
    "whole step, bfloat16",
    "bare beside PyTorch, float32",
    "bare beside PyTorch, bfloat16",
    "bare bfloat16, of the convolution ceiling",
    "beside Keras's batch normalisation, bfloat16",
    "waits for data",
)


def table(document: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown, a row a recipe that was measured at both precisions."""
    rows = {row["name"]: row for row in document["rows"]}
    recipes = [name.split("/")[1] for name in rows if name.startswith("ours/") and name.endswith(f"/{HALF}/bare")]
    return markdown_table.lines(HEADING, [_cells(recipe, rows) for recipe in recipes])


def _cells(recipe: str, rows: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    whole, half = rows[f"ours/{recipe}/{FULL}"], rows[f"ours/{recipe}/{HALF}"]
    return (
        NAMES.get(recipe, f"`{recipe}`"),
        _rate(whole["median"]),
        f"{_rate(half['median'])} ({half['ratio']:.2f}x)",
        *(f"{rows[f'peer/pytorch/{recipe}/{precision}']['ratio']:.2f}x" for precision in (FULL, HALF)),
        f"{rows[f'ours/{recipe}/{HALF}/bare']['ceiling_share']:.0%}",
        f"{rows[f'peer/keras_batch_normalization/{recipe}/{HALF}']['ratio']:.2f}x",
        f"{rows[f'ours/{recipe}/{HALF}/waits_for_data']['median']:.1f} %",
    )


def _rate(images_per_s: float) -> str:
    return f"{images_per_s:,.0f}" if images_per_s >= 200 else f"{images_per_s:.1f}"
