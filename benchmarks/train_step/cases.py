"""What `benchmarks.train_step` measures of a recipe: its sides, interleaved, and the rows that come of them."""

import dataclasses
import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from benchmarks.harness import results, timing, training_steps
from benchmarks.train_step import torch_peer
from benchmarks.train_step.convolution_ceiling import Ceiling
from benchmarks.train_step.torch_peer import Peer
from models import classifier
from models.config.training import TrainConfig
from models.layers.batch_norm import FusedBatchNormalization
from models.reporting import flops
from models.runtime import precision
from pipeline.common import config, errors
from pipeline.data_config import DataConfig

DTYPES = {"float32": "float32", "mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}  # of a precision's products
QUICK_STEP_MULTIPLY_ADDS = 11.9e9  # forward, of a step of `quick`
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
      repeats: rounds.
      num_steps: a round and side, for recipes no dearer than `quick`; the others make fewer, by their multiply-adds.
      peer_modes: of PyTorch, of "eager" and "compiled".
      peer_precisions: at which it is measured.
    """

    repeats: int
    num_steps: int
    peer_modes: tuple[str, ...]
    peer_precisions: tuple[str, ...]

    def steps_of(self, multiply_adds: int, batch_size: int) -> int:
        """Steps a round of a network with so many multiply-adds an image."""
        share = QUICK_STEP_MULTIPLY_ADDS / (multiply_adds * batch_size)
        return max(1, round(self.num_steps * min(share, 1.0)))


class Recipe:
    """A recipe at several precisions: `rows` measures it.

    Args:
      name: of the recipe.
      source: values of `SourceConfig`, of a prepared data set.
      precisions: resolved, each once.
      effort: how much to measure.
    """

    def __init__(self, name: str, source: Mapping[str, Any], precisions: Sequence[str], effort: Effort) -> None:
        values = training_steps.recipe(name)
        self.name, self.effort = name, effort
        # Nothing is held out: the smallest data set has no 10,000 examples to spare.
        self.data = config.build(DataConfig, values, source, {"num_validation": 0})
        self.trains = [config.build(TrainConfig, values, {"precision": precision}) for precision in precisions]
        self.multiply_adds = flops.multiply_adds(classifier.build(self.trains[0]))
        self.num_steps = effort.steps_of(self.multiply_adds, self.data.batch_size)
        self.stream = training_steps.stream(self.data, seed=0)
        self.batch = next(self.stream)

    def rows(self, ceilings: Mapping[str, Ceiling], peer: Peer | None) -> list[Row]:
        """Measure all sides in turns; rows by precision, each with its rate in TFLOP/s and its share of the ceiling.

        Args:
          ceilings: by dtype.
          peer: PyTorch, where it is there.

        Raises:
          errors.FailedError: PyTorch's network is not ours.
        """
        sides = self._whole_steps() + self._stock_side()
        first_s: dict[str, float] = {}
        for train in self.trains:
            if peer and train.precision in self.effort.peer_precisions and torch_peer.has_twin(train):
                compared, seconds = self._compared(train, peer)
                sides += compared
                first_s |= seconds
        timings = timing.interleave(sides, self.effort.repeats)
        if peer:
            peer.forget()
        found = self._own_rows(timings) + self._peer_rows(timings, first_s)
        return [self._with_rate(row, ceilings) for row in found]

    def _what(self, train: TrainConfig) -> str:
        return f"{self.name}/{train.precision}"

    def _whole_steps(self) -> list[timing.Side]:
        """Of each precision, fed by the input pipeline; of the last, which waits the most, on one batch too."""
        sides = []
        for train in self.trains:
            steps = training_steps.Steps(self.data, train, self.num_steps)
            sides.append(steps.side(f"ours/{self._what(train)}", self.stream))
        return [*sides, steps.side(f"ours/{self._what(train)}/one_batch", itertools.repeat(self.batch))]

    def _stock_side(self) -> list[timing.Side]:
        """The last precision with Keras's own batch normalisation; no side where the network has none."""
        train = self.trains[-1]
        model = classifier.build(train)
        if not any(isinstance(layer, FusedBatchNormalization) for layer in model.layers):
            return []
        with precision.scope(train.precision):
            model = with_stock_normalisation(model)
        steps = training_steps.Steps(self.data, train, self.num_steps, model)
        return [steps.side(f"peer/keras_batch_normalization/{self._what(train)}", self.stream)]

    def _compared(self, train: TrainConfig, peer: Peer) -> tuple[list[timing.Side], dict[str, float]]:
        """Ours and PyTorch's of the same work; and the seconds that PyTorch's sides took to their first step's end."""
        # A small constant rate: a rate costs nothing, and one batch over and over must not make the weights diverge.
        train = dataclasses.replace(train, schedule="constant", learning_rate=1e-3)
        unaugmented = dataclasses.replace(self.data, augmentation="none")
        steps = training_steps.Steps(unaugmented, train, self.num_steps)
        num_parameters = sum(variable.shape.num_elements() for variable in steps.model.trainable_variables)
        batch = {key: value.numpy() for key, value in self.batch.items()}
        sides = [steps.side(f"ours/{self._what(train)}/bare", itertools.repeat(self.batch))]
        first_s: dict[str, float] = {}
        for mode in self.effort.peer_modes:
            name = f"peer/pytorch_{mode}/{self._what(train)}"
            print(f"  {name}", flush=True)  # compiling takes minutes
            try:
                made = peer.make(name, train, batch, mode)
            except errors.FailedError as error:
                if mode == "eager":
                    raise
                print(f"left out: {error}", flush=True)  # such as where there is no C++ compiler
                continue
            torch_peer.require_equal(name, "trained parameters", num_parameters, made.num_parameters)
            torch_peer.require_equal(name, "multiply-adds", self.multiply_adds, made.multiply_adds)
            first_s[name] = made.first_s
            sides.append(peer.side(name, self.num_steps, self.data.batch_size))
        return sides, first_s

    def _own_rows(self, timings: Mapping[str, timing.Timing]) -> list[Row]:
        whole = [timings[f"ours/{self._what(train)}"] for train in self.trains]
        rows = [self._row(whole[0]), *(self._row(timed, (timed, whole[0])) for timed in whole[1:])]
        what = self._what(self.trains[-1])
        if stock := timings.get(f"peer/keras_batch_normalization/{what}"):
            rows.append(self._row(stock, (whole[-1], stock)))
        unfed = timings[f"ours/{what}/one_batch"]
        return [*rows, self._row(unfed), waiting_row(f"ours/{what}/waits_for_data", whole[-1], unfed)]

    def _peer_rows(self, timings: Mapping[str, timing.Timing], first_s: Mapping[str, float]) -> list[Row]:
        rows = []
        for train in self.trains:
            what = self._what(train)
            if bare := timings.get(f"ours/{what}/bare"):
                peers = [timings[name] for name in first_s if name.endswith(f"/{what}")]
                rows += [self._row(bare), *peer_rows(what, bare, peers, first_s, self.data.batch_size)]
        return rows

    def _row(self, timed: timing.Timing, compared: tuple[timing.Timing, timing.Timing] | None = None) -> Row:
        return _images_row(timed, compared, self.data.batch_size)

    def _with_rate(self, row: Row, ceilings: Mapping[str, Ceiling]) -> Row:
        if row["unit"] != "images/s":
            return row
        dtype = next(dtype for name, dtype in DTYPES.items() if name in row["name"])
        return row | rate(row["median"], self.multiply_adds, ceilings[dtype].tflops)


def rate(images_per_s: float, multiply_adds: int, ceiling_tflops: float) -> dict[str, float]:
    """A step's TFLOP/s, of 3 x 2 x the forward multiply-adds, and its share of the ceiling."""
    tflops = 6 * multiply_adds * images_per_s / 1e12
    return {"tflops": round(tflops, 4), "ceiling_share": round(tflops / ceiling_tflops, 4)}


def waiting_row(name: str, fed: timing.Timing, unfed: timing.Timing) -> Row:
    """Per cent of the time that input costs a step: beside one that has its batch, round by round, no less than 0."""
    shares = [
        100.0 * max(0.0, 1.0 - with_input / without) for with_input, without in zip(fed.rates, unfed.rates, strict=True)
    ]
    spread = {"min": round(min(shares), 2), "max": round(max(shares), 2), "repeats": len(shares)}
    return results.single(name, "%", round(statistics.median(shares), 2)) | spread


def peer_rows(
    what: str,
    ours: timing.Timing,
    peers: Sequence[timing.Timing],
    first_s: Mapping[str, float],
    batch_size: int,
) -> list[Row]:
    """PyTorch's rows: its best form as `peer/pytorch/WHAT`, its others as `peer/pytorch_MODE/WHAT`.

    Args:
      what: recipe and precision.
      ours: of the same work.
      peers: named `peer/pytorch_MODE/WHAT`.
      first_s: seconds to the end of the first step, by those names.
      batch_size: images a step.
    """
    rows = []
    for place, timed in enumerate(sorted(peers, key=lambda timed: -timed.median)):
        mode = timed.name.split("/")[1].removeprefix("pytorch_")
        shown = dataclasses.replace(timed, name=f"peer/pytorch/{what}" if place == 0 else timed.name)
        shown = dataclasses.replace(shown, first_s=first_s[timed.name])
        rows.append(_images_row(shown, (ours, shown), batch_size) | {"mode": mode})
    return rows


def told(rows: Sequence[Row]) -> list[str]:
    """The rows in words, a line each: TFLOP/s and their share of the ceiling, and how long the device waits."""
    lines = [
        f"{row['name']}: {row['tflops']:.3f} TFLOP/s, {row['ceiling_share']:.0%} of the convolution ceiling"
        for row in rows
        if "ceiling_share" in row
    ]
    waits = [row for row in rows if row["name"].endswith("/waits_for_data")]
    return lines + [f"{row['name']}: the device waits for data {row['median']:.1f} % of the time" for row in waits]


def with_stock_normalisation(model: keras.Model) -> keras.Model:
    """The same network with Keras's own layer in the place of each fused one."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, FusedBatchNormalization):
            return keras.layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon, scale=layer.scale)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


def _images_row(timed: timing.Timing, compared: tuple[timing.Timing, timing.Timing] | None, batch_size: int) -> Row:
    more = {"batch_size": batch_size, "steps_per_s": round(timed.median / batch_size, 3)}
    return results.row(timed, "images/s", compared, **more)
