"""The training loop: `models.training.train(data, config)`; TensorFlow is loaded at its first use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.training.loop import TrainResult, check, train

__all__ = ["TrainResult", "check", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from models.training import loop

    return getattr(loop, name)
