"""Tables of the results of benchmarks, for docs/results.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.harness.results import Row
from models.reporting import figures
from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column, field

HALF, FULL = "mixed_bfloat16", "float32"
RECIPE_NAMES = {"resnet18": "ResNet-18", "wrn_16_4": "WRN-16-4"}  # of recipes that are no presets
CACHES = {
    "memory": "ours, examples cached in memory (`--cache=memory`), batches of {batch_size}",
    "device": "ours, gathered on the device (`--cache=device`), batches of {batch_size}",
    "disk": "ours, cached on disk (`--cache=disk`), batches of {batch_size}",
    "none": "ours, read and decoded every time (`--cache=none`), batches of {batch_size}",
}
SHUFFLED_WITHIN = "the same, shuffled within {shuffle_buffer} examples"
LOADERS: dict[tuple[str | None, str | None], str] = {  # by peer and loader
    ("tf_data", "study_arrays"): "the original study's float32 arrays through `from_tensor_slices`, shuffled",
    ("tf_data", "uint8_arrays"): "uint8 arrays, the same way",
    ("keras", "pydataset"): "Keras's `PyDataset`, as `fit` consumes it",
    ("pytorch", "dataloader"): "PyTorch's `DataLoader`, {workers} workers",
    ("pytorch", "dataloader/bulk"): "PyTorch's `DataLoader`, reading whole batches (no automatic batching)",
    ("grain", "map_dataset"): "Google's Grain",
    ("spdl", "pipeline"): "Meta's SPDL",
    ("dali", "generic_iterator"): "NVIDIA's DALI on the CPU, an external source",
    (None, "copy"): "ceiling: a plain copy of such batches",
    (None, "permutation"): "NumPy's `x[permutation]` of a whole pass, whose memory is new each time",
}


def number(value: Any) -> str:
    """Four significant digits, or all of a large number's; other values as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


SHOWN_WHERE_MEASURED = (
    "num_images",
    "peak_mib",
    "ceiling_share",
    "cpu_s_per_million",
    "tflops",
    "gib",
    "intensity",
    "first_call_s",
    "batch_size",
    "processes",
    "limit",
    "trials",
    "epochs",
    "predicted",
    "mode",
    "version",
)
ALL_COLUMNS: list[Column[Row]] = [
    Column("row", lambda row: row.name),
    Column("unit", lambda row: row.unit),
    field("mean", number, is_optional=True),
    field("standard_deviation", number, "standard deviation", is_optional=True),
    *(field(key, number) for key in ("median", "min", "max", "repeats")),
    *(field(key, number, is_optional=True) for key in SHOWN_WHERE_MEASURED),
]


def _rows(document: Mapping[str, Any]) -> list[Row]:
    return [Row.from_json(fields) for fields in document["rows"]]


def all_rows(document: Mapping[str, Any]) -> list[str]:
    """Every row of a benchmark, then the ratios."""
    rows = _rows(document)
    lines = [f"- {row.ratio:.2f}x: {' relative to '.join(row.ratio_of)}" for row in rows if row.ratio_of]
    return [*markdown_table.lines(ALL_COLUMNS, rows), *([""] if lines else []), *lines]


def training_steps(document: Mapping[str, Any]) -> list[str]:
    """Rates of training steps, a row for each recipe that was measured at both precisions."""
    by_recipe: dict[str, dict[tuple[Any, ...], Row]] = {}
    for row in _rows(document):
        if row.recipe:
            by_recipe.setdefault(row.recipe, {})[row.peer, row.kind, row.precision] = row
    return markdown_table.lines(STEP_COLUMNS, [item for item in by_recipe.items() if (None, "bare", HALF) in item[1]])


StepRow = tuple[str, Mapping[tuple[Any, ...], Row]]  # a recipe; its rows by peer, kind and precision


def _step(heading: str, key: tuple[Any, ...], text: Callable[[Row], str]) -> Column[StepRow]:
    return Column(heading, lambda step: text(step[1][key]), is_number=True)


def _rate(row: Row) -> str:
    return f"{row.median:,.0f}" if row.median >= 200 else f"{row.median:.1f}"


def _ratio(row: Row) -> str:
    return f"{row.ratio:.2f}x"


STEP_COLUMNS: list[Column[StepRow]] = [
    Column("recipe", lambda step: RECIPE_NAMES.get(step[0], f"`{step[0]}`")),
    _step("whole step, float32", (None, "step", FULL), _rate),
    _step("whole step, bfloat16", (None, "step", HALF), lambda row: f"{_rate(row)} ({_ratio(row)})"),
    _step("bare, relative to PyTorch, float32", ("pytorch", "bare", FULL), _ratio),
    _step("bare, relative to PyTorch, bfloat16", ("pytorch", "bare", HALF), _ratio),
    _step("bare bfloat16, of the best convolution rate", (None, "bare", HALF), lambda row: f"{row.ceiling_share:.0%}"),
    _step("relative to Keras's batch normalization, bfloat16", ("keras_batch_normalization", "step", HALF), _ratio),
    _step("waits for data", (None, "waits_for_data", HALF), lambda row: f"{row.median:.1f} %"),
]


def loaders(document: Mapping[str, Any]) -> list[str]:
    """Rates of loaders of training batches: ours by cache, other libraries', the ceilings."""
    order = [*CACHES.values(), SHUFFLED_WITHIN, *LOADERS.values()]
    rows = [row for row in _rows(document) if _loader_name(row) in order]
    return markdown_table.lines(LOADER_COLUMNS, sorted(rows, key=lambda row: order.index(_loader_name(row))))


def _loader_name(row: Row) -> str:
    """The name of a loader, a template of its fields; "" for a row that this table leaves out."""
    if row.kind == "train" and not row.peer and row.threads is None:
        return SHUFFLED_WITHIN if row.shuffle_buffer else CACHES[str(row.cache)]
    return LOADERS.get((row.peer, row.loader), "")


LOADER_COLUMNS: list[Column[Row]] = [
    Column("loader", lambda row: _loader_name(row).format(**vars(row))),
    field("median", "{:,.0f}".format, "images/s"),
    Column("range", lambda row: f"{row.min:,.0f} to {row.max:,.0f}", is_number=True),
    field("cpu_s_per_million", "{:.2g}".format, "CPU seconds per million images"),
    field("ceiling_share", "{:.1%}".format, "of the rate of a plain copy"),
    field("ratio", "{:.1f}x".format, "ours, relative to it"),
]


def memory(document: Mapping[str, Any]) -> list[str]:
    """Memory against augmented images: a row for each number of views, then one for each limit, then the leak."""
    rows = _rows(document)
    peaks = {(row.peer, row.views): row for row in rows if row.kind == "peak"}
    views = [views for peer, views in peaks if peer is None and views is not None]
    columns: list[Column[int]] = [
        Column("augmented images", "{:,}".format, is_number=True),
        Column("ours, peak MiB", lambda views: _mib(peaks.get((None, views))), is_number=True),
        Column("the original study's method, peak MiB", lambda views: _mib(peaks.get(("study", views)))),
    ]
    limits = dict.fromkeys(row.limit_gib for row in rows if row.kind == "limit")
    lines = [_limit(limit, [row for row in rows if row.limit_gib == limit]) for limit in limits]
    lines += [_leak(row) for row in rows if row.kind == "leak"]
    return [*markdown_table.lines(columns, views), "", *(f"- {line}" for line in lines)]


def measured_replicas(document: Mapping[str, Any]) -> list[str]:
    """What a training and Muon's products take on one machine, by the division among processes."""
    rows = [row for row in _rows(document) if not row.predicted]
    columns: list[Column[Row]] = [
        Column("row", lambda row: f"`{row.name}`"),
        Column("median", lambda row: f"{number(row.median)} {row.unit}", is_number=True),
        Column("least to most", lambda row: f"{number(row.min)} to {number(row.max)}", is_number=True),
        Column("relative to the first of its kind", lambda row: _ratio(row) if row.ratio else figures.MISSING),
    ]
    return markdown_table.lines(columns, rows)


def projected_replicas(document: Mapping[str, Any]) -> list[str]:
    """What the cost model projects, a row for each cluster and batch."""
    columns: list[Column[Row]] = [
        Column("row, computed and not measured", lambda row: f"`{row.name}`"),
        field("batch_size", number, "images in a batch"),
        field("median", number, "images/s"),
        field("efficiency", "{:.0%}".format, "efficiency"),
    ]
    return markdown_table.lines(columns, [row for row in _rows(document) if row.predicted])


def _mib(row: Row | None) -> str:
    if row is None:
        return figures.MISSING
    if row.predicted:
        return f"{row.median:,.0f}, computed: it does not fit here"
    return f"{row.median:,.0f}" + (f" ({row.min:,.0f} to {row.max:,.0f})" if row.repeats > 1 else "")


def _limit(limit: float | None, rows: Sequence[Row]) -> str:
    """One sentence on the outcome under a limit: ours with the most views, and the original study's array."""
    ours = next(row for row in rows if not row.peer)
    trained = f"trains its {ours.median:,.0f} images of an epoch of {ours.views:,}"
    text = trained if ours.median else f"dies with {ours.views:,}"
    array = [row for row in rows if row.peer]
    fates = []
    for fate, is_held in (("fits for", True), ("does not for", False)):
        views = [f"{row.views:,}" for row in array if bool(row.median) is is_held]
        fates += [f"{fate} {' and '.join(views)}"] if views else []
    outcome = f"{' and '.join(fates)} images" if fates else "was not tried"
    return f"With a process limited to {limit:g} GiB, this project {text}; the original study's array {outcome}."


def _leak(row: Row) -> str:
    return (
        f"Over {row.epochs} epochs of {row.views:,} views, memory grows by {row.median:.1f} KiB an epoch "
        f"({row.min:.1f} to {row.max:.1f} over the whole and either half), at {row.median_mib:,.0f} MiB."
    )
