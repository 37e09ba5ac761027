"""What the tests run in PyTorch's process; nothing here may load TensorFlow."""

import os
import sys
import time
from typing import Any

_made: list[str] = []


def made_unless_compiled(name: str, config: Any, description: Any, batch: dict[str, Any], mode: str) -> None:
    """In the place of `torch_peer._make`: compiling takes for ever, and "dies" does."""
    if mode == "compiled":
        time.sleep(3600)
    if mode == "dies":
        os._exit(3)
    _made.append(name)


def ran(name: str, num_steps: int) -> tuple[list[str], int]:
    """In the place of `torch_peer._run`: what was made in this process, and what was asked for."""
    assert name in _made
    return _made, num_steps


def loads_tensorflow() -> bool:
    from benchmarks.train_step import torch_steps  # noqa: F401

    return "tensorflow" in sys.modules


def activated(values: Any) -> dict[str, Any]:
    """What each activation answers to the values."""
    import torch

    from benchmarks.train_step import torch_networks

    return {name: make()(torch.from_numpy(values)).numpy() for name, make in torch_networks.ACTIVATIONS.items()}


def trained(
    config: Any, batch: dict[str, Any], weights: dict[str, list[Any]], num_steps: int
) -> tuple[list[float], dict[str, list[Any]]]:
    """Losses of the steps and all weights after them, from the given ones on; layouts are Keras's."""
    import torch

    from benchmarks.train_step import torch_steps
    from tests.descriptions import CIFAR100

    model = torch_steps.network(config, CIFAR100)
    kernels, norms, heads = (
        [layer for layer in model.modules() if isinstance(layer, kind)]
        for kind in (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.Linear)
    )
    with torch.no_grad():
        for layer, value in zip(kernels, weights["kernels"], strict=True):
            layer.weight.copy_(torch.tensor(value).permute(3, 2, 0, 1))
        for layer, value in zip(heads, weights["heads"], strict=True):
            layer.weight.copy_(torch.tensor(value).T)
            layer.bias.zero_()
    steps = torch_steps.Steps(model, config, batch, "eager")
    losses = [float(steps()) for _ in range(num_steps)]
    return losses, {
        "kernels": [layer.weight.detach().permute(2, 3, 1, 0).numpy().copy() for layer in kernels],
        "heads": [layer.weight.detach().T.numpy().copy() for layer in heads],
        "biases": [layer.bias.detach().numpy() for layer in heads],
        "scales": [layer.weight.detach().numpy() for layer in norms],
        "offsets": [layer.bias.detach().numpy() for layer in norms],
        "means": [layer.running_mean.numpy() for layer in norms],
        "variances": [layer.running_var.numpy() for layer in norms],
    }
