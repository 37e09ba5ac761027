"""Heads: the labels that a model predicts, and the shape of each head."""

import dataclasses

from pipeline.common.config import Composition, Config, Part, setting


@dataclasses.dataclass(frozen=True)
class Head(Config):
    """One head: hidden layers between the features and its logits, its regularization, and its loss."""

    hidden_layers: int = setting(0, "number of hidden dense layers of the {part} head", low=0, high=8)
    hidden_units: int = setting(256, "units of each hidden layer of the {part} head", low=1, needs="hidden_layers")
    dropout: float = setting(
        0.0, "dropout rate before each dense layer of the {part} head, the output layer included", low=0.0, high=0.9
    )
    l2: float = setting(
        0.0, "L2 regularization factor of the {part} head's kernels, the output layer included", low=0.0
    )
    label_smoothing: float = setting(0.1, "label smoothing of the {part} head's loss", low=0.0, high=0.9)


FINE, COARSE = Part(Head, "fine_"), Part(Head, "coarse_", {"label_smoothing": 0.05})


@dataclasses.dataclass(frozen=True)
class TwoHeads(Config):
    """What two heads share."""

    coarse_loss_weight: float = setting(0.5, "weight of the coarse head's loss; the fine head's is 1", low=0.0)
    coarse_source: str = setting(
        "summed",
        "source of the coarse prediction in reports: the coarse head, or fine probabilities summed by superclass",
        choices=("head", "summed"),
    )


@dataclasses.dataclass(frozen=True, init=False)
class HeadsConfig(Composition):
    """The heads of a network, each of its own shape."""

    heads: str = setting(
        "both",
        "labels to predict, each with a head of its own",
        parts={"both": (FINE, COARSE, Part(TwoHeads)), "fine": (FINE,), "coarse": (COARSE,)},
    )
    class_weights: str = setting(
        "none",
        "weights of the classes in the training loss: none, or balanced, inversely proportional to their numbers of "
        "training images",
        choices=("none", "balanced"),
    )
    logit_scale: float = setting(
        0.125, "factor of the logits; smaller values make the first predictions less confident", low=0.001
    )

    @property
    def head_names(self) -> tuple[str, ...]:
        """("fine", "coarse"), or the name of the only head."""
        return ("fine", "coarse") if self.heads == "both" else (self.heads,)

    def head(self, name: str) -> Head:
        """The fields of the head of a label, `fine` or `coarse`."""
        return self.part(Head, f"{name}_")
