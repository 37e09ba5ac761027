"""The definition of a study: named variants of one recipe, trained with the same seeds, and the metrics.

    preset < Study.base < Study.budgets[budget] < epochs of equal cost < Variant.changes < seed, data set

are the layers of a variant's configuration; the later ones win. A job is one variant trained with one seed. Nothing
here imports TensorFlow.
"""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from models.config import presets
from models.config.fitted import fitted
from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.common.config import build, check_known, check_read, nearest, settings, unread
from pipeline.data_config import AUTO, DATASETS, OWN_VALIDATION, DataConfig, SourceConfig
from pipeline.datasets import prepared
from tuning.workers.job import TrainingJob

BUDGETS = ("smoke", "short", "full")
DEFAULT_BUDGET = "short"
# Of a run's report; own_coarse_accuracy is the coarse accuracy that `coarse_source` chooses.
METRICS = {
    "fine_accuracy": "fine",
    "own_coarse_accuracy": "coarse",
    "coarse_accuracy": "coarse, from its head",
    "coarse_from_fine_accuracy": "coarse, summed from fine",
}
EPOCHS = "epochs"  # a factor whose levels are lengths of training
_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*")


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of a study.

    Attributes:
      name: lower case, digits and `_.+-`: it names files.
      changes: fields of DataConfig and TrainConfig that differ from the study's base.
      note: what a reader must know about the choice, in a few words.
      against: the variant that it is compared with; "" is the study's reference.
      levels: of a study with two factors, the level of each.
      original_mean: the accuracy that the original study measured, 0 to 1.
      original_std: its standard deviation, 0 to 1, where the original study has one.
      original_metric: the metric that it measured, of METRICS; "" is the first one of this study.
      epoch_petaflop: `train_petaflop` of one epoch of 40,000 images of 32 x 32 pixels, where its study has `petaflop`.
    """

    name: str
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    note: str = ""
    against: str = ""
    levels: tuple[str, ...] = ()
    original_mean: float | None = None
    original_std: float | None = None
    original_metric: str = ""
    epoch_petaflop: float = 0.0


@dataclasses.dataclass(frozen=True)
class Combination:
    """A row made of several variants' models, each asked for one metric; its cost is theirs together."""

    name: str
    parts: Mapping[str, str]  # metric -> the variant whose model it is taken from
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Study:
    """A question, and the runs that answer it.

    Attributes:
      name: of `--study`.
      question: what a reader wants to know, in one line.
      base: fields of every variant, `preset` among them.
      budgets: fields by budget, for each of BUDGETS.
      repeats: seeds by budget where `--repeats` says nothing.
      variants: the rows.
      reference: the variant that the others are compared with, where they name no other.
      metrics: what is measured and tested, of METRICS, always on validation.
      shown: metrics that are shown and not tested.
      combinations: rows made of several variants' models.
      factors: names of the two things that `Variant.levels` vary; where the second one is EPOCHS, numbers.
      petaflop: the cost of every variant, by budget, where budgets are costs; the epochs follow from it.
      side_by_side: whether its networks are so small that, on processors, jobs are better trained side by side, each
        on its share of them, than one after the other on all.
    """

    name: str
    question: str
    base: Mapping[str, Any]
    budgets: Mapping[str, Mapping[str, Any]]
    repeats: Mapping[str, int]
    variants: tuple[Variant, ...]
    reference: str
    metrics: tuple[str, ...] = ("fine_accuracy",)
    shown: tuple[str, ...] = ("own_coarse_accuracy",)
    combinations: tuple[Combination, ...] = ()
    factors: tuple[str, ...] = ()
    petaflop: Mapping[str, float] = dataclasses.field(default_factory=dict)
    side_by_side: bool = False

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants] + [row.name for row in self.combinations]
        wrong = [name for name in names if not _NAME.fullmatch(name) or names.count(name) > 1]
        parts = {variant for combination in self.combinations for variant in combination.parts.values()}
        against = {variant.against for variant in self.variants} - {""}
        unknown = ({self.reference} | parts | against) - {variant.name for variant in self.variants}
        measured = {variant.original_metric for variant in self.variants} - {""}
        unmeasured = {*self.metrics, *self.shown, *measured} - set(METRICS)
        for what, mistakes in (("name", wrong), ("variant", unknown), ("metric", unmeasured)):
            if mistakes:
                raise ValueError(f"study {self.name}: expected known, lower-case {what}s, each once: {mistakes}")
        if set(self.budgets) != set(BUDGETS) or set(self.repeats) != set(BUDGETS):
            raise ValueError(f"study {self.name}: expected budgets and repeats for {', '.join(BUDGETS)}")
        if any(len(variant.levels) != len(self.factors) for variant in self.variants):
            raise ValueError(f"study {self.name}: expected a level of each of its factors {self.factors} a variant")
        if self.petaflop and not all(variant.epoch_petaflop for variant in self.variants):
            raise ValueError(f"study {self.name}: expected the epoch_petaflop of each variant, since it has petaflop")

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
          errors.BadArgumentError: there is none.
        """
        known = {variant.name: variant for variant in self.variants}
        for row in self.combinations:
            if name == row.name:
                parts = " and ".join(dict.fromkeys(row.parts.values()))
                raise errors.BadArgumentError(f"variants={name!r}: combines the models of {parts}; set those")
        if name not in known:
            raise errors.BadArgumentError(
                f"variants={name!r}: study {self.name} has {', '.join(known)}{nearest(name, set(known))}"
            )
        return known[name]

    def for_levels(self, levels: Collection[str]) -> "Study":
        """The study for a data set that has these levels of labels, "fine" and perhaps "coarse".

        Without coarse labels, a variant that only leaves out the coarse head would be the reference again. A study that
        trains a coarse head alone is for two levels, and `job` refuses it.
        """
        if "coarse" in levels or any(variant.changes.get("heads") == "coarse" for variant in self.variants):
            return self
        kept = tuple(variant for variant in self.variants if variant.changes != {"heads": "fine"})
        return dataclasses.replace(self, variants=kept)

    def is_side_by_side(self, budget: str) -> bool:
        """Whether its jobs are better trained side by side; a budget for a look has small networks everywhere."""
        return self.side_by_side or budget == BUDGETS[0]

    def is_equal_cost(self, budget: str) -> bool:
        """Whether the budget gives all variants the same cost; then their memory is compared too."""
        return budget in self.petaflop

    def against(self, name: str) -> str:
        """The variant that a row, of a variant or a combination, is compared with."""
        return next((variant.against for variant in self.variants if variant.name == name), "") or self.reference

    def chosen(self, names: Sequence[str]) -> Sequence[Variant]:
        """The variants of these names; all where none is given.

        Raises:
          errors.BadArgumentError: there is none of a name, or a name comes twice.
        """
        for name in names:
            if names.count(name) > 1:
                raise errors.BadArgumentError(f"variants={','.join(names)}: expected each once, got {name!r} again")
        return [self.variant(name) for name in names] or self.variants

    def job(self, variant: Variant, budget: str, seed: int, source: SourceConfig) -> TrainingJob:
        """A variant's configuration at a budget, with a seed, on a data set.

        Raises:
          errors.BadArgumentError: a field is unknown, or its value wrong.
        """
        layers = (
            presets.preset(variant.changes.get("preset", self.base["preset"])),
            self.base,
            self.budgets[budget],
            self._equal_cost(variant, budget),
            variant.changes,
        )
        for layer in layers:
            check_known(layer, settings(DataConfig, TrainConfig), f"study {self.name}, variant {variant.name}")
        held_out = {} if source.dataset in (*DATASETS, AUTO) else {"num_validation": OWN_VALIDATION}
        data = build(DataConfig, *layers, source.as_dict(), {"archive": "", **held_out})
        train = build(TrainConfig, *layers, {"seed": seed})
        if description := prepared.describe(data.data_dir, data.prepared_name):
            if train.heads == "coarse" and not description.classes.coarse:
                raise errors.BadArgumentError(
                    f"study={self.name}: trains a coarse head, and {description.dataset} has one level of labels; "
                    "expected another study"
                )
            data, train = fitted(data, train, description, {key: layer[key] for layer in layers for key in layer})
            if not data.split_sizes(description)["validation"]:
                raise errors.BadArgumentError(
                    f"study={self.name}: compares on validation, and of {description.dataset} nothing is held out; "
                    "expected at least 5 training images"
                )
        return TrainingJob(variant.name, data, train, tuple(unread(self._values(budget, [variant]), data, train)))

    def jobs(
        self, variants: Sequence[Variant], budget: str, seeds: Sequence[int], source: SourceConfig
    ) -> list[TrainingJob]:
        """Every variant with every seed, seed by seed, so that a study cut short has compared like with like.

        Raises:
          errors.BadArgumentError: a field is unknown, its value wrong, or no variant of the study reads it.
        """
        every = [self.job(variant, budget, 0, source) for variant in self.variants]
        configs = [config for job in every for config in (job.data, job.train)]
        values = self._values(budget, self.variants)
        if all(job.train.heads == "fine" for job in every):  # of a data set with one level of labels
            values = {name: value for name, value in values.items() if not name.startswith("coarse_")}
        check_read(values, *configs, problem=f"no variant of study {self.name} reads it")
        return [self.job(variant, budget, seed, source) for seed in seeds for variant in variants]

    def _equal_cost(self, variant: Variant, budget: str) -> dict[str, float]:
        """The epochs after which a variant has the cost of a budget; {} where the budget has none."""
        if not self.is_equal_cost(budget):
            return {}
        return {"epochs": round(self.petaflop[budget] / variant.epoch_petaflop, 3)}

    def _values(self, budget: str, variants: Sequence[Variant]) -> dict[str, Any]:
        """What the study sets itself for these variants, presets left out."""
        changes = {name: value for variant in variants for name, value in variant.changes.items()}
        return {**self.base, **self.budgets[budget], **changes}


def num_steps(job: TrainingJob) -> int:
    """About how many steps a job takes."""
    description = prepared.describe(job.data.data_dir, job.data.prepared_name)
    views = job.data.virtual_examples or (job.data.split_sizes(description)["train"] if description else 1)
    steps = max(1, round(job.train.epochs * views / job.data.batch_size))
    return min(steps, job.train.max_steps) if job.train.max_steps else steps
