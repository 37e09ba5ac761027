"""The rows of `benchmarks.augment`: images a second of ours and of its peers, and the share of a training step."""

from benchmarks.augment import cases
from benchmarks.harness import results, timing, training_steps
from benchmarks.harness.labels import Labels
from models.config import from_preset
from models.config.fitted import fitted
from models.runtime import precision
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared

MAX_SHARE = 5.0  # percent of a training step that flips and shifts may cost
STEP = Labels.of("ours/{recipe}_step", "step", recipe="quick")
SHARE = Labels.of("ours/{transforms}_share_of_{recipe}_step", "share", transforms="flip_shift", recipe="quick")


class Compared:
    """Ours and its peers of one set or transform, compiled and called once, and their timings so far.

    A case takes at least `round_s` seconds in a round.
    """

    def __init__(self, what: str, batch: cases.Batch, round_s: float) -> None:
        self._works = [cases.ours(what, batch), *cases.peers(what, batch)]
        measured = [_first_s_and_case(work, len(batch.images), round_s) for work in self._works]
        self._first_s, self._cases = zip(*measured, strict=True)
        self._rates: list[list[float]] = [[] for _ in self._works]

    def time(self) -> None:
        """One more round: each case once, after a call that is not timed."""
        timings = timing.interleave(self._cases, repeats=1)
        for case, rates in zip(self._cases, self._rates, strict=True):
            rates += timings[case.name].rates

    def rows(self) -> list[results.Row]:
        """The rows of the rounds so far, if any; those of peers have the ratio of ours to them."""
        if not self._rates[-1]:
            return []
        parts = zip(self._works, self._first_s, self._rates, strict=True)
        ours, *peers = [timing.Timing(work.labels, first_s, tuple(rates)) for work, first_s, rates in parts]
        rows = [results.timed(ours)]
        for work, peer in zip(self._works[1:], peers, strict=True):
            rows.append(results.timed(peer, compared=(ours, peer), **work.fields))
        return rows


def share_of_quick_step(data: DataConfig, repeats: int, round_s: float, num_steps: int) -> list[results.Row]:
    """The training step of the preset `quick`, and the share of it that flips and shifts take at its batch size.

    The augmentation is measured without the step, so that reading and writing the images counts in full; a round has
    at least `round_s` seconds of it. `data` is that of the preset, on a prepared data set.
    """
    _, train = from_preset("quick", precision=precision.resolve("auto"))
    data, train = fitted(data, train, prepared.description(data.data_dir, data.prepared_name))
    work = cases.ours("flip_shift", cases.Batch.first(data))
    _, augment = _first_s_and_case(work, data.batch_size, round_s)
    timings = timing.interleave([augment, training_steps.case(STEP, data, train, num_steps)], repeats)
    shares = _shares(timings[STEP.name], timings[augment.name])
    step = results.timed(timings[STEP.name], batch_size=data.batch_size)
    return [step, results.row(SHARE, "%", shares, batch_size=data.batch_size, limit=MAX_SHARE)]


def _shares(steps: timing.Timing, augment: timing.Timing) -> list[float]:
    """Per cent of an image's time in a training step that its augmentation takes, round by round."""
    return [100.0 * whole / part for whole, part in zip(steps.rates, augment.rates, strict=True)]


def _first_s_and_case(work: cases.Work, batch_size: int, round_s: float) -> tuple[float, timing.Case]:
    """Seconds of the first call, and a case of as many batches as take `round_s`."""

    def run(num_batches: int) -> None:
        # Waits for the device, which works in order: one pixel of the last images stands for all of them.
        float(work.run(num_batches)[0, 0, 0, 0])

    first_s = timing.seconds_of(lambda: run(1))
    num_batches = timing.calls_within(run, round_s, work.min_batches)
    return first_s, timing.Case(work.labels, lambda: run(num_batches), num_batches * batch_size)
