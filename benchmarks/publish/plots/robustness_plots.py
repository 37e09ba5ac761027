"""The heat map of `benchmarks.robustness`, and a sheet of all its corruptions on one generated image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.harness.results import Row
from benchmarks.robustness import rows as robustness_rows
from benchmarks.robustness.corruptions import CORRUPTIONS, EXTRA, SEVERITIES, corrupt, shown_name
from models.reporting.plot_style import ROW_INCHES
from pipeline.gallery import image_grid

IMAGE = 83  # of the first 500 generated test images: a striped silhouette on a plain ground


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Accuracies of the fine labels, or of the coarse ones where there are no others; None without corruptions.

    A line for each corruption, whose mean is at its right, and a column for each severity.
    """
    measured = [Row.from_json(row) for row in rows if row["kind"] == robustness_rows.CORRUPTION]
    if not measured:
        return None
    metric = measured[0].metric
    medians = {(row.corruption, row.severity): row.median for row in measured if row.metric == metric}
    names = list(dict.fromkeys(name for name, _ in medians))
    severities = sorted({severity for _, severity in medians if severity})
    grid = np.array([[medians.get((name, severity), np.nan) for severity in severities] for name in names])
    figure = Figure(figsize=(3.4 + 0.8 * len(severities), 1.6 + ROW_INCHES * len(names)), layout="constrained")
    axes = figure.add_subplot(xlabel="severity")
    picture = axes.imshow(grid, cmap="cividis", aspect="auto", vmin=0.0)
    axes.set_xticks(range(len(severities)), [str(severity) for severity in severities])
    axes.set_yticks(range(len(names)), [_shown(str(name)) for name in names])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    middle = picture.get_clim()[1] / 2
    for (y, x), value in np.ndenumerate(grid):
        axes.text(x, y, f"{value:.1f}", ha="center", va="center", color="white" if value < middle else "black")
    for y, mean in enumerate(np.nanmean(grid, axis=1)):
        axes.text(len(severities) - 0.4, y, f"{mean:.1f}", va="center", weight="bold")
    figure.colorbar(picture, label=f"{str(metric).replace('_', ' ')} (%)", pad=0.16)
    figure.suptitle(_title(rows, str(metric)), x=0.01, ha="left", fontsize=9.5)
    return figure


def _title(rows: Sequence[Mapping[str, Any]], metric: str) -> str:
    kinds = {robustness_rows.CLEAN: "clean images", "mean_corruption": "the 15 corruptions"}
    means = {row["kind"]: row["median"] for row in rows if row.get("metric") == metric and row["kind"] in kinds}
    texts = [f"{word} {means[kind]:.1f} %" for kind, word in kinds.items() if kind in means]
    (count,) = {row["num_images"] for row in rows if row["kind"] == robustness_rows.CORRUPTION}
    return f"Accuracy on {count:,} corrupted images of test (bold: mean of a line)\n" + ", ".join(texts)


def _shown(name: str) -> str:
    return shown_name(name) + (" (extra)" if name in EXTRA else "")


def sheet() -> image_grid.Picture:
    """An image of shapes100 as it is, and under every corruption at each severity."""
    from pipeline.datasets.shapes100 import builder

    image = builder.draw_chunk("test", 0)[1][IMAGE]
    rows = []
    for name in CORRUPTIONS:
        images = [image, *(corrupt(image, name, severity, seed=0, index=0) for severity in SEVERITIES)]
        rows.append(image_grid.Row(_shown(name), (), np.stack(images)))
    headings = ("clean", *(f"severity {severity}" for severity in SEVERITIES))
    subtitle = "The corruptions of CIFAR-100-C as this project makes them, on a generated image of 32 x 32 pixels."
    return image_grid.Picture("Corruptions", subtitle, headings, tuple(rows))
