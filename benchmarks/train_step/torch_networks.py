"""Our networks in PyTorch, layer by layer. Needs torch; nothing here may load TensorFlow (see `torch_peer`).

So their numbers are repeated, and `benchmarks.train_step` fails where parameters or multiply-adds differ from ours.
Layers are made in the order in which ours are, so that a test can hand the weights of one to the other. The one
difference: a stride of 2 begins a pixel earlier here, as `padding=1` has it; multiply-adds are the same.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from models.config.network import NetworkConfig
from pipeline.datasets.description import Description

EPSILON = 1e-3  # of normalization
Trunk = tuple[nn.Module, int]  # and the number of its features


class Classifier(nn.Module):
    """Scaling + trunk + heads: uint8 images [B, 3, H, W] -> float32 logits, of each head.

    Args:
      config: of an architecture among `TRUNKS`.
      description: of the data set.
      dtype: of the trunk; bfloat16 by autocast, the heads float32 as ours.
    """

    def __init__(self, config: NetworkConfig, description: Description, dtype: torch.dtype) -> None:
        super().__init__()
        self.trunk, num_features = TRUNKS[config.architecture](config)
        num_labels = description.classes.counts
        if config.heads != "both":
            num_labels = {config.heads: num_labels[config.heads]}
        self.heads = nn.ModuleDict({name: nn.Linear(num_features, number) for name, number in num_labels.items()})
        self.dtype, self.logit_scale = dtype, config.logit_scale
        self.register_buffer("mean", torch.tensor(description.channel_means).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(description.channel_deviations).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Classify a batch."""
        scaled = (images.float() - self.mean) / self.deviation
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            features = self.trunk(scaled)
        features = features.float()
        return {name: head(features) * self.logit_scale for name, head in self.heads.items()}


class _Pooled(nn.Module):
    """[B, C, H, W] -> [B, C]: the "maximum", the "mean", or their "sum", of each channel."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "sum":
            return x.amax((2, 3)) + x.mean((2, 3))
        return x.amax((2, 3)) if self.kind == "maximum" else x.mean((2, 3))


class _Added(nn.Module):
    """x + inner(x)."""

    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class _EvenConvolution(nn.Module):
    """As `models.layers.convolution.Convolution` with `even_outputs`."""

    def __init__(self, channels: int, filters: int, kernel_size: int) -> None:
        super().__init__()
        self.before, self.after = (kernel_size - 1) // 2, kernel_size // 2
        self.convolution = nn.Conv2d(channels, filters, kernel_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        padding = (self.before, self.after - width % 2, self.before, self.after - height % 2)
        return self.convolution(functional.pad(x, padding))


class _ResnetBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()

        inner = [_convolution(channels, filters, 3, stride), *_activated(filters, 0.9)]
        self.inner = nn.Sequential(*inner, _convolution(filters, filters, 3), _normalised(filters, 0.9))
        projects = stride > 1 or channels != filters
        past = [_convolution(channels, filters, 1, stride), _normalised(filters, 0.9)] if projects else []
        self.past = nn.Sequential(*past)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu_(self.past(x) + self.inner(x))


class _WideBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.activated = nn.Sequential(*_activated(channels, 0.9))
        inner = [_convolution(channels, filters, 3, stride), *_activated(filters, 0.9)]
        inner += [nn.Dropout(dropout)] if dropout else []
        self.inner = nn.Sequential(*inner, _convolution(filters, filters, 3))
        self.past = _convolution(channels, filters, 1, stride) if channels != filters else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        activated = self.activated(x)
        return (x if self.past is None else self.past(activated)) + self.inner(activated)


def _resnet9(config: NetworkConfig) -> Trunk:
    channels = 32
    layers = [_convolution(3, channels, 3), *_activated(channels, 0.6)]
    for number, filters in enumerate((32, 96, 256)):
        layers += [_convolution(channels, filters, 3), nn.MaxPool2d(2), *_activated(filters, 0.6)]
        if number > 0:
            layers.append(_Added(_convolution(filters, filters, 3), *_activated(filters, 0.6)))
        channels = filters
    return nn.Sequential(*layers, _Pooled("maximum")), channels


def _speedrun(config: NetworkConfig) -> Trunk:
    channels = 24
    stem = nn.Conv2d(3, channels, 2, bias=False)
    stem.weight.requires_grad_(not config.whitening)
    layers: list[nn.Module] = [stem, ACTIVATIONS[config.activation]()]

    def activated(channels: int) -> list[nn.Module]:
        return [_normalised(channels, config.norm_momentum, config.norm_scale), ACTIVATIONS[config.activation]()]

    kernel_sizes = ((3, 1, 1), (3, 3, 1), (2, 3, 3))
    for filters, bottleneck, kernels in zip(config.widths, config.bottlenecks, kernel_sizes, strict=True):
        layers += [_EvenConvolution(channels, filters, kernels[0]), nn.MaxPool2d(2), *activated(filters)]
        pair = [_convolution(filters, bottleneck, kernels[1]), *activated(bottleneck)]
        pair += [_convolution(bottleneck, filters, kernels[2]), *activated(filters)]
        layers.append(_Added(*pair))
        channels = filters
    return nn.Sequential(*layers, _Pooled("sum")), channels


def _resnet18(config: NetworkConfig) -> Trunk:
    channels = 64
    layers = [_convolution(3, channels, 3), *_activated(channels, 0.9)]
    for group, filters in enumerate((64, 128, 256, 512)):
        for block in range(2):
            layers.append(_ResnetBlock(channels, filters, stride=2 if group > 0 and block == 0 else 1))
            channels = filters
    return nn.Sequential(*layers, _Pooled("mean")), channels


def _wide_resnet(config: NetworkConfig) -> Trunk:
    channels = 16
    layers: list[nn.Module] = [_convolution(3, channels, 3)]
    for group, width in enumerate((16, 32, 64)):
        for block in range((config.depth - 4) // 6):
            stride, filters = 2 if group > 0 and block == 0 else 1, width * config.widen_factor
            layers.append(_WideBlock(channels, filters, stride, config.dropout))
            channels = filters
    return nn.Sequential(*layers, *_activated(channels, 0.9), _Pooled("mean")), channels


TRUNKS: dict[str, Callable[[NetworkConfig], Trunk]] = {
    "resnet9": _resnet9,
    "speedrun": _speedrun,
    "resnet18": _resnet18,
    "wide_resnet": _wide_resnet,
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),  # Keras's slope
}


def _convolution(channels: int, filters: int, kernel_size: int, stride: int = 1) -> nn.Module:
    """Of "same" padding and without bias."""
    if kernel_size % 2:
        return nn.Conv2d(channels, filters, kernel_size, stride, kernel_size // 2, bias=False)
    return nn.Sequential(
        nn.ZeroPad2d((0, kernel_size - 1, 0, kernel_size - 1)), nn.Conv2d(channels, filters, kernel_size, bias=False)
    )


def _normalised(channels: int, momentum: float, scale: bool = True) -> nn.Module:
    """Batch normalization; PyTorch's momentum is what a step adds, ours what stays."""
    layer = nn.BatchNorm2d(channels, EPSILON, 1.0 - momentum)
    layer.weight.requires_grad_(scale)
    return layer


def _activated(channels: int, momentum: float) -> list[nn.Module]:
    return [_normalised(channels, momentum), nn.ReLU(inplace=True)]
