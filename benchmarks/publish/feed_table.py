"""README's table of what feeds a training step, drawn from what `benchmarks.input` wrote."""

import re
from collections.abc import Mapping
from typing import Any

from pipeline.common import markdown_table

# What each kind of row is, in words; rows that none of these describe stand on the page of all results alone.
WORDS = (
    (r"ours/train/memory/(\d+)", "ours, examples cached in memory (`--cache=memory`), batches of {0}"),
    (r"ours/train/disk/(\d+)", "ours, cached on disk (`--cache=disk`), batches of {0}"),
    (r"ours/train/none/(\d+)", "ours, read and decoded every time (`--cache=none`), batches of {0}"),
    (r"ours/train/none/(\d+)/window_(\d+)", "the same, shuffled within {1} examples"),
    (r"peer/tf_data/study_arrays", "the study's float32 arrays through `from_tensor_slices`, shuffled"),
    (r"peer/tf_data/uint8_arrays", "uint8 arrays, the same way"),
    (r"peer/keras/pydataset", "Keras's `PyDataset`, as `fit` consumes it"),
    (r"peer/pytorch/dataloader/workers_(\d+)", "PyTorch's `DataLoader`, {0} workers"),
    (r"peer/pytorch/dataloader/bulk", "PyTorch's `DataLoader`, reading whole batches (no automatic batching)"),
    (r"peer/grain/map_dataset", "Google's Grain"),
    (r"peer/dali/generic_iterator", "NVIDIA's DALI on the CPU, an external source"),
    (r"ours/ceiling/copy", "ceiling: a plain copy of such batches"),
    (r"ours/ceiling/permutation", "NumPy's `x[permutation]` of a whole pass, whose memory is new each time"),
)
HEADING = ("feed", "images/s", "least to most", "CPU seconds a million", "of the plain copy", "ours is")


def table(document: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown, a row a feed: ours by cache, the others, the ceilings."""
    by_name = {row["name"]: row for row in document["rows"]}
    found = [
        (pattern.format(*match.groups()), by_name[name])
        for expression, pattern in WORDS
        for name in by_name
        if (match := re.fullmatch(expression, name))
    ]
    return markdown_table.lines(HEADING, [_cells(words, row) for words, row in found])


def _cells(words: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        words,
        f"{row['median']:,.0f}",
        f"{row['min']:,.0f} to {row['max']:,.0f}",
        f"{row['cpu_s_per_million']:.2g}",
        f"{row['ceiling_share']:.1%}",
        f"{row['ratio']:.1f}x" if "ratio" in row else "",
    )
