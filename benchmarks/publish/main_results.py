"""The table of main results, for README.md: accuracies of presets, then memory and rates beside other libraries'.

benchmarks/results/*.json ──▶ a MainResult each ──▶ table
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from benchmarks.harness.results import Row, read
from benchmarks.publish import our_results
from benchmarks.publish.benchmark_tables import LOADERS
from benchmarks.publish.our_results import Measured
from benchmarks.publish.published_results import ORIGINAL_COARSE_PERCENT, ORIGINAL_FINE_PERCENT
from pipeline.common import markdown_table

PRESETS = ("nano", "tiny", "quick", "fast", "better")
VIEWS = 600_000  # augmented images an epoch: the most that the original study could keep
STEPS = ("quick", "tiny", "fast", "resnet18", "wrn_16_4")  # recipes whose training step is compared


@dataclasses.dataclass(frozen=True)
class MainResult:
    """What was measured, the figures, the command that measures them again, and the processor."""

    measured: str
    result: str
    command: str
    device: str

    @property
    def processor(self) -> str:
        """The processor's name without trademarks and instruction sets."""
        return self.device.split(",")[0].replace("(R)", "").removesuffix(" Processor")


def table(results: pathlib.Path) -> list[str]:
    """A row for each main result, at most ten, from a folder of benchmarks' JSON files."""
    recipes = {recipe.name: recipe for recipe in our_results.read(results)}
    rows = [_preset(recipes[name]) for name in PRESETS]
    rows.append(_original(recipes["original_fine"], recipes["original_coarse"]))
    for name, row in {"memory": _memory, "input": _input, "augment": _augment, "train_step": _train_step}.items():
        rows.append(row(read(results / f"{name}.json", f"{results / name}.json:")))
    columns = [markdown_table.field(name) for name in ("measured", "result", "command", "processor")]
    return markdown_table.lines(columns, rows)


def _preset(recipe: Measured) -> MainResult:
    report = recipe.reports[0]
    seeds = f"{len(recipe.reports)} seeds" if len(recipe.reports) > 1 else "1 seed"
    accuracies = f"**{our_results.fine(recipe)} %** fine, **{our_results.coarse(recipe)} %** coarse"
    costs = f"{report['train_seconds']:,.0f} s, {report['peak_rss_mib']:,.0f} MiB"
    measured = f"preset `{recipe.name}`, {recipe.num_train:,} images, {seeds}"
    return MainResult(measured, f"{accuracies}; {costs}", our_results.command(recipe), report["device"])


def _original(fine: Measured, coarse: Measured) -> MainResult:
    ours = f"**{our_results.fine(fine)} %** fine, **{our_results.coarse(coarse)} %** coarse"
    theirs = f"original study: {ORIGINAL_FINE_PERCENT:g} %, {ORIGINAL_COARSE_PERCENT:g} %"
    commands = f"{our_results.command(fine)}, {our_results.command(coarse)}"
    name = "the original study's two final models, with this project's training recipe, 1 seed, split by file order"
    return MainResult(name, f"{ours} ({theirs})", commands, fine.reports[0]["device"])


def _rows(document: Mapping[str, Any]) -> list[Row]:
    return [Row.from_json(fields) for fields in document["rows"]]


def _memory(document: Mapping[str, Any]) -> MainResult:
    peaks = {row.peer: row.median for row in _rows(document) if row.kind == "peak" and row.views == VIEWS}
    result = f"**{peaks[None]:,.0f} MiB**; images in one array, as in the original study: {peaks['study']:,.0f} MiB"
    return _benchmark(document, f"peak memory in the first steps of an epoch of {VIEWS:,} augmented images", result)


def _input(document: Mapping[str, Any]) -> MainResult:
    rows = [row for row in _rows(document) if row.kind == "train"]
    ours = next(row for row in rows if row.name == "ours/train/memory/512")
    peer = max((row for row in rows if row.peer), key=lambda row: row.median)
    name = LOADERS[peer.peer, peer.loader].split(",")[0]
    other = f"the fastest other loader, {name}: {peer.median:,.0f}"
    result = f"**{ours.median:,.0f} images/s**; {other}"
    return _benchmark(document, "input pipeline, images cached in memory, batches of 512", result)


def _augment(document: Mapping[str, Any]) -> MainResult:
    rows = {row.name: row for row in _rows(document)}
    keras, generator = rows["peer/keras_layers/original"], rows["peer/ImageDataGenerator/original"]
    ratios = f"{keras.ratio:.1f}x Keras's layers, {generator.ratio:.0f}x `ImageDataGenerator`"
    result = f"**{rows['ours/original'].median:,.0f} images/s**; {ratios}"
    return _benchmark(document, "the original study's augmentation", result)


def _train_step(document: Mapping[str, Any]) -> MainResult:
    rows = [row for row in _rows(document) if (row.kind, row.peer) == ("bare", "pytorch")]
    ratios = {row.recipe: row.ratio for row in rows if row.precision == "mixed_bfloat16"}
    result = ", ".join(f"`{recipe}` **{ratios[recipe]:.2f}x**" for recipe in STEPS)
    return _benchmark(document, "training step in bfloat16 on prepared batches, rate relative to PyTorch", result)


def _benchmark(document: Mapping[str, Any], measured: str, result: str) -> MainResult:
    command = document["command"].partition(" --out=")[0]
    return MainResult(measured, result, f"`{command}`", document["device"])
