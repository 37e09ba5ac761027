"""How a network's weights move: optimizer, rates and what averages them."""

import dataclasses

from pipeline.common import errors
from pipeline.common.config import Config, setting

OPTIMIZERS = ("sgd", "adam", "muon", "rmsprop", "adagrad", "adadelta", "adamax", "nadam")
SCHEDULES = ("warmup_linear", "warmup_cosine", "constant")


@dataclasses.dataclass(frozen=True)
class OptimizationConfig(Config):
    """Optimizer, learning rate, and the averages of weights."""

    optimizer: str = setting(
        "sgd", "sgd is Nesterov's; muon is Muon for convolutions, Nesterov's SGD for the rest", choices=OPTIMIZERS
    )
    learning_rate: float = setting(2.0, "the highest learning rate", low=0.0)
    schedule: str = setting(
        "warmup_linear",
        "warmup_linear: up over --warmup_fraction, then down to 0; warmup_cosine: down as a cosine; constant: "
        "--learning_rate, or a callback's",
        choices=SCHEDULES,
    )
    warmup_fraction: float = setting(0.25, "part of the run in which the rate rises", low=0.0, high=0.9)
    momentum: float = setting(0.85, "of sgd, and of muon's other variables", low=0.0, high=0.999)
    muon_rate_ratio: float = setting(0.13, "muon: rate of convolutions, in multiples of --learning_rate", low=0.0)
    muon_momentum: float = setting(0.6, "muon: of convolutions", low=0.0, high=0.999)
    muon_iterations: int = setting(3, "muon: Newton-Schulz iterations a step", low=1, high=10)
    offset_rate_ratio: float = setting(1.0, "muon: rate of biases and normalisation, times --learning_rate", low=0.0)
    weight_decay: float = setting(
        3e-3, "decoupled, times the rate, on kernels alone; those that Muon turns keep their norm", low=0.0
    )
    sam_radius: float = setting(0.0, "gradients are taken so far uphill (SAM), at twice the cost; 0 is off", low=0.0)
    average_decay: float = setting(
        0.0,
        "how much of the weights' moving average, which is what is evaluated, stays at a step; 0 is off",
        high=0.99999,
        low=0.0,
    )
    lookahead_steps: int = setting(0, "weights are pulled back to slow ones every so many steps; 0 is off", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.average_decay and self.lookahead_steps:
            raise errors.BadArgumentError(
                f"average_decay={self.average_decay} and lookahead_steps={self.lookahead_steps}: give one of the two"
            )
