"""Session: the search of a tuner session, and its limits."""

import dataclasses

from pipeline.common import errors
from pipeline.common.config import Config, setting
from tuning.sessions.trade_offs import objectives
from tuning.workers.job import MAX_PROCESSES

TUNERS = ("hyperband", "bayesian", "random", "grid", "optuna")
OF_ONE_SCORE = ("hyperband", "bayesian")  # tuners that choose by it


@dataclasses.dataclass(frozen=True)
class SessionConfig(Config):
    """What a session searches, and for how long."""

    space: str = setting("heads", "search space: heads, original, full, or a Python file")
    tuner: str = setting(
        "hyperband",
        "search algorithm; several --objectives need random, grid or optuna, their default",
        choices=TUNERS,
    )
    objective: str = setting(
        "both",
        "validation accuracy to maximize at a trial's end; both is the mean of the two",
        choices=objectives.ACCURACIES,
    )
    objectives: str = setting(
        "",
        f"several objectives, separated by commas, of {', '.join(objectives.NAMES)}: accuracies are maximized, costs "
        "minimized, and the report shows the Pareto front; one is as --objective",
    )
    fine_weight: float = setting(
        0.5, "weight of the fine accuracy in the objective both; the coarse accuracy has the rest", low=0.0, high=1.0
    )
    max_trials: int = setting(
        30,
        "maximum number of trials; with hyperband it follows from --max_epochs or from a limit",
        low=1,
    )
    max_epochs: int = setting(6, "epochs per trial; fewer in the first rungs of hyperband", low=1, high=1_000_000)
    patience: int = setting(
        0, "epochs without improvement of validation accuracy after which a trial stops; 0 disables", low=0
    )
    init_from: str = setting(
        "", "run folder of the frozen trunk of --space=heads; empty trains a trunk first", is_path=True
    )
    seed: int = setting(0, "random seed of the proposals and of every trial", low=0)
    precision: str = setting(
        "auto",
        "numeric precision; auto selects a 16-bit type unless it is slow on this machine",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    )
    max_minutes: float = setting(
        0.0,
        "time limit of the session in minutes, earlier calls and the trunk's training included. hyperband repeats its "
        "brackets until then; unfinished trials are saved for a later call with a higher limit. 0 is no limit",
        low=0.0,
        identity=False,
    )
    max_petaflop: float = setting(
        0.0,
        "limit of the session's training arithmetic in petaflop (1e15 operations, as train_petaflop of reports), "
        "earlier calls and the trunk included. A trial starts only if one as expensive as any so far still fits; "
        "started trials are finished. hyperband repeats its brackets until then. 0 is no limit",
        low=0.0,
        identity=False,
    )
    workers: int = setting(
        1,
        "number of worker processes; each trains one trial at a time",
        low=1,
        high=MAX_PROCESSES,
        identity=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = objectives.split(self.objectives)
        objectives.check(self.objectives)
        if len(names) > 1 and self.tuner in OF_ONE_SCORE:
            raise errors.BadArgumentError(
                f"objectives={self.objectives}: --tuner={self.tuner} chooses trials by one score; expected --tuner="
                f"{' or '.join(name for name in TUNERS if name not in OF_ONE_SCORE)}"
            )
        if names:
            object.__setattr__(self, "objective", next(name for name in names if objectives.is_maximized(name)))
        if len(names) == 1:
            object.__setattr__(self, "objectives", "")

    @property
    def objective_names(self) -> tuple[str, ...]:
        """The names of all objectives."""
        return objectives.split(self.objectives) or (self.objective,)
