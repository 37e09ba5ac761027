"""What `benchmarks.augment` measures: our transforms and sets, each beside its peers on the same batch."""

import dataclasses
import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from benchmarks.augment import peers as augment_peers
from benchmarks.augment import torchvision_peer
from benchmarks.harness import results, timing, training_steps
from models.config import presets
from models.config.training import TrainConfig
from models.runtime import precision
from pipeline.augment import composition, sets
from pipeline.augment.augmix import AugMix
from pipeline.augment.channel_shift import ChannelShift
from pipeline.augment.color_jitter import ColorJitter
from pipeline.augment.crop import Crop
from pipeline.augment.cutmix import CutMix
from pipeline.augment.cutout import Cutout
from pipeline.augment.erasing import RandomErasing
from pipeline.augment.flip import AlternatingFlip, HorizontalFlip, VerticalFlip
from pipeline.augment.grayscale import Grayscale
from pipeline.augment.layer import Augmentation, Views
from pipeline.augment.mixup import MixUp
from pipeline.augment.mixup_or_cutmix import MixUpOrCutMix
from pipeline.augment.rand_augment import RandAugment
from pipeline.augment.rotation import Rotation
from pipeline.augment.sets import SETS
from pipeline.augment.shear import Shear
from pipeline.augment.shift import Shift
from pipeline.augment.translation import Translation
from pipeline.augment.trivial_augment import TrivialAugmentWide
from pipeline.augment.zoom import Zoom
from pipeline.batches import OpenedData
from pipeline.common import config, errors
from pipeline.data_config import DataConfig

ALONE: tuple[type[Augmentation], ...] = (
    HorizontalFlip,
    VerticalFlip,
    AlternatingFlip,
    Shift,
    Crop,
    Cutout,
    RandomErasing,
    Rotation,
    Shear,
    Zoom,
    Translation,
    ChannelShift,
    ColorJitter,
    Grayscale,
    MixUp,
    CutMix,
    MixUpOrCutMix,
    TrivialAugmentWide,
    RandAugment,
    AugMix,
)
NUM_FINE, NUM_COARSE = 100, 20
MAX_CALLS = 4096
MAX_SHARE = 5.0  # per cent of a training step that flips and shifts may cost
SHARE = "ours/flip_shift_share_of_quick_step"


class Batch(NamedTuple):
    """What every side is given.

    Attributes:
      images: uint8 [B, 32, 32, 3].
      targets: float32 [B, 120], both labels one-hot, for what mixes labels too.
    """

    images: tf.Tensor
    targets: tf.Tensor

    @classmethod
    def first(cls, data: DataConfig) -> "Batch":
        """The first batch of a prepared data set, on the device."""
        batch = next(iter(OpenedData(data).train(seed=0)))
        one_hot = tf.one_hot(batch["fine"], NUM_FINE), tf.one_hot(batch["coarse"], NUM_COARSE)
        return cls(batch["image"], tf.concat(one_hot, axis=1))


@dataclasses.dataclass(frozen=True)
class Work:
    """One way to augment.

    Attributes:
      name: of its row.
      run: augments so many batches and returns the images of the last one.
      more: for its row.
      least_batches: a round needs, so that all that works at once has work.
    """

    name: str
    run: Callable[[int], Any]
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    least_batches: int = 1


def names() -> tuple[str, ...]:
    """Everything that can be measured: the named sets, then each transform alone."""
    return (*SETS, *(kind.__name__ for kind in ALONE))


def check(chosen: Sequence[str]) -> None:
    """See that all are known.

    Raises:
      errors.BadArgumentError: one is not.
    """
    for name in chosen:
        if name not in names():
            hint = config.nearest(name, set(names()))
            raise errors.BadArgumentError(f"sets={name!r}: expected some of {', '.join(names())}{hint}")


def transforms(what: str) -> tuple[Augmentation, ...]:
    """Those of a name."""
    alone = {kind.__name__: kind for kind in ALONE}
    return (alone[what](),) if what in alone else sets.build(what)


def ours(what: str, batch: Batch) -> Work:
    """Our transforms as the training step runs them: drawn in TensorFlow's graph, each compiled by XLA."""
    parts = transforms(what)
    apply, mixes = composition.compiled(parts), composition.mixes_labels(parts)
    height, width = batch.images.shape[1:3]
    numbers = itertools.count()

    @tf.function
    def step(images: tf.Tensor, targets: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        index = tf.range(tf.shape(images, tf.int64)[0])
        drawn = composition.draw_all(parts, 0, number, Views(index, tf.zeros_like(index) + number))
        if mixes:
            targets = composition.mix_labels(targets, parts, drawn, height, width)
        return apply(images, drawn), targets

    def run(num_batches: int) -> tf.Tensor:
        for _ in range(num_batches):
            images, _ = step(*batch, tf.constant(next(numbers), tf.int64))
        return images

    return Work(f"ours/{what}", run)


def peers(what: str, batch: Batch) -> list[Work]:
    """Those that there are for a name, each in the fastest form that we know of."""
    works = []
    peer = augment_peers.keras_peer(what)
    if peer:
        stacked = augment_peers.Stacked(peer.layers)

        def run(num_batches: int) -> tf.Tensor:
            for _ in range(num_batches):
                images, _ = stacked(*batch)
            return images

        more = {"work": "equal" if peer.is_equal else "nearest", "xla": stacked.xla}
        works.append(Work(f"peer/keras_layers/{what}", run, more))
    if what == "study":
        pixels = batch.images.numpy()
        works.append(Work(f"peer/ImageDataGenerator/{what}", augment_peers.Generator(pixels), {"work": "equal"}))
        for name, study in torchvision_peer.load(pixels).items():
            works.append(Work(f"peer/{name}/{what}", study, {"work": "nearest"}, study.least_batches))
    return works


class Compared:
    """A name's sides, ours first, compiled and called once; and what was timed of them so far.

    Args:
      what: the name.
      batch: that all sides augment.
      round_s: seconds that a round of a side takes at least.
    """

    def __init__(self, what: str, batch: Batch, round_s: float) -> None:
        self._works = [ours(what, batch), *peers(what, batch)]
        self._batch_size = len(batch.images)
        self._first_s, self._sides = zip(*(_side(work, self._batch_size, round_s) for work in self._works), strict=True)
        self._rates: list[list[float]] = [[] for _ in self._works]

    def time(self) -> None:
        """One more round: each side once, behind a call that is not timed."""
        found = timing.interleave(self._sides, repeats=1)
        for work, rates in zip(self._works, self._rates, strict=True):
            rates += found[work.name].rates

    def rows(self) -> list[dict[str, Any]]:
        """Of the rounds so far, if any; a peer's says how many times as fast ours is."""
        if not self._rates[-1]:
            return []
        parts = zip(self._works, self._first_s, self._rates, strict=True)
        first, *others = [timing.Timing(work.name, first_s, tuple(rates)) for work, first_s, rates in parts]
        rows = [results.row(first, "images/s", batch_size=self._batch_size)]
        for work, timed in zip(self._works[1:], others, strict=True):
            rows.append(results.row(timed, "images/s", (first, timed), batch_size=self._batch_size, **work.more))
        return rows


def share_of_quick_step(data: DataConfig, repeats: int, round_s: float, num_steps: int) -> list[dict[str, Any]]:
    """The training step of the preset `quick`, and what flips and shifts are of it, at the same batch size.

    The augmentation is measured alone, so that reading and writing the images counts in full.

    Args:
      data: of the preset, on a prepared data set.
      repeats: rounds.
      round_s: seconds that a round of the augmentation takes at least.
      num_steps: training steps a round.
    """
    train = config.build(TrainConfig, presets.preset("quick"), {"preset": "quick"})
    train = dataclasses.replace(train, precision=precision.resolve(train.precision))
    _, augment = _side(ours("flip_shift", Batch.first(data)), data.batch_size, round_s)
    steps = training_steps.side("ours/quick_step", data, train, num_steps)
    found = timing.interleave([augment, steps], repeats)
    shares = _shares(found["ours/quick_step"], found["ours/flip_shift"])
    spread = {"min": round(min(shares), 3), "max": round(max(shares), 3), "repeats": repeats}
    share = results.single(SHARE, "%", round(statistics.median(shares), 3), batch_size=data.batch_size, limit=MAX_SHARE)
    return [results.row(found["ours/quick_step"], "images/s", batch_size=data.batch_size), share | spread]


def _shares(steps: timing.Timing, augment: timing.Timing) -> list[float]:
    """Per cent of an image's time in a training step that its augmentation takes, round by round."""
    return [100.0 * whole / part for whole, part in zip(steps.rates, augment.rates, strict=True)]


def _side(work: Work, batch_size: int, round_s: float) -> tuple[float, timing.Side]:
    """Seconds of the first call, and a side of so many batches that a round takes `round_s` at least."""
    first_s = _seconds(work, 1)
    num_batches = work.least_batches
    while (spent := _seconds(work, num_batches)) < round_s and num_batches < MAX_CALLS:
        num_batches = min(math.ceil(num_batches * min(1.2 * round_s / spent, 8.0)), MAX_CALLS)
    return first_s, timing.Side(work.name, lambda: _finished(work.run(num_batches)), num_batches * batch_size)


def _seconds(work: Work, num_batches: int) -> float:
    started = time.perf_counter()
    _finished(work.run(num_batches))
    return time.perf_counter() - started


def _finished(images: Any) -> None:
    """Wait for the device: it works in order, so that one pixel of the last images stands for all of them."""
    float(images[0, 0, 0, 0])
