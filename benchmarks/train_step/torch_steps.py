"""Training steps in PyTorch: our networks, losses and optimizers, on one batch. Needs torch, and no TensorFlow.

In the fastest form that we know of: channels_last, bfloat16 by autocast, the fused optimizer, eager and compiled.
"""

import types
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.train_step import torch_networks
from models.config.training import TrainConfig
from models.optimizers import newton_schulz
from pipeline.common import cpu
from pipeline.datasets.description import Description

DTYPES = {"float32": torch.float32, "mixed_bfloat16": torch.bfloat16}


def device() -> str:
    """Where PyTorch computes."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def use_all_processors() -> None:
    """Use as many threads as TensorFlow does; by itself PyTorch takes one a core, however many a core has."""
    torch.set_num_threads(cpu.num_threads())


def network(config: TrainConfig, description: Description) -> torch_networks.Classifier:
    """The network of a configuration, in training, on the device that PyTorch has."""
    model = torch_networks.Classifier(config, description, DTYPES[config.precision])
    return model.to(device(), memory_format=torch.channels_last).train()


def num_parameters(model: torch.nn.Module) -> int:
    """Those that are trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def multiply_adds(model: torch.nn.Module, size: int) -> int:
    """Of the forward pass of an image of `size` x `size` pixels, as PyTorch itself counts convolutions and products."""
    image = torch.zeros([1, 3, size, size], dtype=torch.uint8, device=device())
    was_training = model.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(image)
    model.train(was_training)
    return counter.get_total_flops() // 2


class Steps:
    """Callable: one training step on the same batch each time: scale, forward, backward, update.

    Args:
      model: of `network`.
      config: its optimizer and losses; the learning rate stays as it is.
      batch: `image` uint8 [B, H, W, 3], and int32 [B] labels of each head.
      mode: "eager", or "compiled" for `torch.compile` on the forward and the backward pass.
    """

    def __init__(
        self, model: torch_networks.Classifier, config: TrainConfig, batch: Mapping[str, np.ndarray], mode: str
    ) -> None:
        self._model = model
        # Plain numbers: `torch.compile` would trace the configuration's own code.
        self._smoothing = {name: config.head(name).label_smoothing for name in model.heads}
        self._weight = {"fine": 1.0, "coarse": config.get("coarse_loss_weight", 1.0)}
        # NHWC seen as NCHW is what PyTorch calls channels_last.
        self._images = torch.from_numpy(np.array(batch["image"])).to(device()).permute(0, 3, 1, 2)
        labels = {name: torch.from_numpy(np.array(batch[name], np.int64)) for name in model.heads}
        self._labels = {name: values.to(device()) for name, values in labels.items()}
        self._loss = torch.compile(self._objective) if mode == "compiled" else self._objective
        self._update = Update([value for value in model.parameters() if value.requires_grad], config)

    def __call__(self) -> torch.Tensor:
        """The loss before the update, float32 []."""
        loss = self._loss(self._images)
        loss.backward()
        self._update()
        return loss.detach()

    def _objective(self, images: torch.Tensor) -> torch.Tensor:
        """As `models.metrics.objective`, averaged over the batch."""
        losses = [
            self._weight[name]
            * functional.cross_entropy(one, self._labels[name], label_smoothing=self._smoothing[name])
            for name, one in self._model(images).items()
        ]
        return torch.stack(losses).sum()


class Update:
    """Callable: the optimizer of a configuration, "sgd" or "muon", as `models.optimizers` has it; clears gradients."""

    def __init__(self, parameters: list[torch.nn.Parameter], config: TrainConfig) -> None:
        is_muon = config.optimizer == "muon"
        self._config = types.SimpleNamespace(**config.as_dict())  # fast to read, kernel by kernel
        self._kernels = [value for value in parameters if value.ndim == 4 and is_muon]
        self._velocities = [torch.zeros_like(kernel) for kernel in self._kernels]
        self._decayed = [value for value in parameters if value.ndim > 1]
        rate = config.learning_rate
        matrices = [value for value in self._decayed if value.ndim == 2 or not is_muon]
        vectors = [value for value in parameters if value.ndim == 1]
        vector_rate = rate * (config.bias_lr_multiplier if is_muon else 1.0)
        groups = [{"params": matrices}, {"params": vectors, "lr": vector_rate}]
        momentum = {"momentum": config.momentum, "nesterov": config.momentum > 0}
        self._sgd = torch.optim.SGD(groups, lr=rate, **momentum, fused=True)

    @torch.no_grad()
    def __call__(self) -> None:
        """Move all parameters by their gradients."""
        config = self._config
        if config.weight_decay:
            torch._foreach_mul_(self._decayed, 1.0 - config.learning_rate * config.weight_decay)
        for kernel, velocity in zip(self._kernels, self._velocities, strict=True):
            _step_kernel(kernel, velocity, config)
        self._sgd.step()
        self._sgd.zero_grad()
        for kernel in self._kernels:
            kernel.grad = None


def _step_kernel(kernel: torch.nn.Parameter, velocity: torch.Tensor, config: types.SimpleNamespace) -> None:
    """As `models.optimizers.muon.Muon`, for kernels [filters, channels, height, width]."""
    filters = len(kernel)
    velocity.mul_(config.muon_momentum).add_(kernel.grad)
    step = kernel.grad.add(velocity, alpha=config.muon_momentum).permute(0, 2, 3, 1)  # no copy, being channels_last
    turned = _orthogonalised(step.reshape(filters, -1), config.muon_iterations).view(step.shape).permute(0, 3, 1, 2)
    kernel.mul_(filters**0.5 / torch.linalg.vector_norm(kernel))
    kernel.sub_(turned, alpha=config.learning_rate * config.muon_lr_multiplier)


def _orthogonalised(matrix: torch.Tensor, num_iterations: int) -> torch.Tensor:
    rows, columns = matrix.shape
    x = matrix / (torch.linalg.vector_norm(matrix) + 1e-7)
    x = (x.T if rows > columns else x).bfloat16()
    for quintics in newton_schulz.groups(num_iterations, tuple(x.shape)):
        x = _iterated(x @ x.T, quintics) @ x
    return (x.T if rows > columns else x).float().contiguous()


def _iterated(gram: torch.Tensor, quintics: Sequence[tuple[float, float, float]]) -> torch.Tensor:
    total = factor = _factor(gram, *quintics[0])
    for quintic in quintics[1:]:
        gram = factor @ gram @ factor
        factor = _factor(gram, *quintic)
        total = factor @ total
    return total


def _factor(gram: torch.Tensor, a: float, b: float, c: float) -> torch.Tensor:
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor
