"""EfficientNet B0 and V2-S in their CIFAR form: two of the five strides are taken out, so that 32 pixels end as 4.

Tan & Le 2019 (arXiv 1905.11946) and 2021 (arXiv 2104.00298). Layers, names and weights are those of
`keras.applications` (without its top 4,049,564 and 20,331,360 parameters), whose ImageNet weights `pretrained` loads:
they do not depend on strides. They were learnt at 224 and 384 pixels and from pixels scaled otherwise, which
fine-tuning has to bridge.
"""

import dataclasses

from models import layers
from models.architectures.fields import FeaturesDropped
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common import errors
from pipeline.common.config import setting

NORM_MOMENTUM = 0.9
LARGEST_DROP = 0.2  # how often the last residual block is left out in training; the first never, in between in a line
SQUEEZE = 4
TOP_FILTERS = 1280


@dataclasses.dataclass(frozen=True)
class EfficientNet(FeaturesDropped):
    """Fields of efficientnet_b0 and efficientnet_v2_s."""

    pretrained: bool = setting(False, "start from ImageNet weights, which are downloaded once")


@dataclasses.dataclass(frozen=True)
class Stage:
    """Blocks of one width; a fused block's expansion and depthwise convolution are one full convolution."""

    kernel_size: int
    expansion: int
    blocks: int
    filters: int
    stride: int  # of the first block, in the CIFAR form
    is_fused: bool = False


@dataclasses.dataclass(frozen=True)
class Network:
    """A member of the family, and its name in keras.applications."""

    application: str
    depthwise_name: str
    stem_filters: int
    stages: tuple[Stage, ...]
    stem_stride: int = 1  # 2 on ImageNet


B0 = Network(
    "EfficientNetB0",
    "dwconv",
    32,
    (
        Stage(3, 1, 1, 16, 1),
        Stage(3, 6, 2, 24, 1),  # 2 on ImageNet
        Stage(5, 6, 2, 40, 2),
        Stage(3, 6, 3, 80, 2),
        Stage(5, 6, 3, 112, 1),
        Stage(5, 6, 4, 192, 2),
        Stage(3, 6, 1, 320, 1),
    ),
)
V2_S = Network(
    "EfficientNetV2S",
    "dwconv2",
    24,
    (
        Stage(3, 1, 2, 24, 1, is_fused=True),
        Stage(3, 4, 4, 48, 1, is_fused=True),  # 2 on ImageNet
        Stage(3, 4, 4, 64, 2, is_fused=True),
        Stage(3, 4, 6, 128, 2),
        Stage(3, 6, 9, 160, 1),
        Stage(3, 6, 15, 256, 2),
    ),
)


def efficientnet_b0(images: Tensor, config: EfficientNet, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, H, W, 3] -> features [B, 1280]."""
    return _features(images, B0, config)


def efficientnet_v2_s(images: Tensor, config: EfficientNet, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, H, W, 3] -> features [B, 1280]."""
    return _features(images, V2_S, config)


def trunk(images: Tensor, network: Network) -> Tensor:
    """Scaled images [B, H, W, 3] -> maps [B, H / 8, W / 8, 1280]."""
    stem = layers.Convolution(network.stem_filters, 3, _spread(), strides=network.stem_stride, name="stem_conv")
    x = _activated(stem(images), "stem_")
    num_blocks = sum(stage.blocks for stage in network.stages)
    number = 0
    for stage_number, stage in enumerate(network.stages, start=1):
        for block in range(stage.blocks):
            name = f"block{stage_number}{chr(ord('a') + block)}_"
            stride = stage.stride if block == 0 else 1
            inner = (_fused if stage.is_fused else _inverted)(x, stage, stride, network, name)
            if stride == 1 and x.shape[-1] == stage.filters:
                drop = keras.layers.Dropout(LARGEST_DROP * number / num_blocks, noise_shape=(None, 1, 1, 1))
                inner = keras.layers.Add()([drop(inner), x])
            x, number = inner, number + 1
    return _activated(layers.Convolution(TOP_FILTERS, 1, _spread(), name="top_conv")(x), "top_")


def load_imagenet(model: "keras.Model", network: Network) -> None:
    """Give the layers of `trunk` in `model` the weights that keras.applications has for ImageNet, downloaded once.

    Raises:
      errors.FailedError: the file is not there and its host does not deliver it.
    """
    application_class = getattr(keras.applications, network.application)
    try:
        application = application_class(include_top=False, input_shape=(224, 224, 3))
    except Exception as error:
        # `get_file` raises a plain Exception where the host does not deliver, ValueError where the hash differs.
        if type(error) is not Exception and not isinstance(error, (OSError, ValueError)):
            raise
        reason = " ".join(str(error).split())
        raise errors.FailedError(
            f"pretrained=True: the ImageNet weights cannot be downloaded ({reason}); connect this machine, put the "
            "file into ~/.keras/models, or leave --pretrained out"
        ) from error
    copy_weights(application, model)


def copy_weights(application: "keras.Model", model: "keras.Model") -> None:
    """Give the layers of `model` the weights of those that have the same name in one of keras.applications."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(application.get_layer(layer.name).get_weights())


def _features(images: Tensor, network: Network, config: EfficientNet) -> Tensor:
    maps = trunk(images, network)
    if config.pretrained:
        load_imagenet(keras.Model(images, maps), network)
    features = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.layers.Dropout(config.head_dropout)(features) if config.head_dropout else features


def _inverted(x: Tensor, stage: Stage, stride: int, network: Network, name: str) -> Tensor:
    """Expansion, depthwise convolution, squeeze and excitation, projection."""
    channels = x.shape[-1]
    if stage.expansion > 1:
        expand = layers.Convolution(channels * stage.expansion, 1, _spread(), name=f"{name}expand_conv")
        x = _activated(expand(x), f"{name}expand_")
    x = keras.layers.DepthwiseConv2D(
        stage.kernel_size,
        stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_spread(),
        dtype=_dtype_of_depthwise(),
        name=name + network.depthwise_name,
    )(x)
    x = _excited(_activated(x, name), max(1, channels // SQUEEZE), name)
    return _projected(x, stage.filters, 1, 1, name)


def _dtype_of_depthwise() -> str | None:
    """Float32 instead of bfloat16 on CPUs, where oneDNN has no bfloat16 gradients: some take 30 times as long."""
    from models.runtime import device

    is_bfloat16 = keras.config.dtype_policy().compute_dtype == "bfloat16"
    return "float32" if is_bfloat16 and not device.has_gpu() else None


def _fused(x: Tensor, stage: Stage, stride: int, network: Network, name: str) -> Tensor:
    """One full convolution that expands and a projection; without expansion the projection is the full one."""
    if stage.expansion == 1:
        x = _projected(x, stage.filters, stage.kernel_size, stride, name)
        return keras.layers.Activation("silu", name=f"{name}project_activation")(x)
    filters = x.shape[-1] * stage.expansion
    expand = layers.Convolution(filters, stage.kernel_size, _spread(), strides=stride, name=f"{name}expand_conv")
    return _projected(_activated(expand(x), f"{name}expand_"), stage.filters, 1, 1, name)


def _excited(x: Tensor, squeezed: int, name: str) -> Tensor:
    """Each channel times a gate that the means of all channels set (Hu et al. 2017)."""
    squeeze = keras.layers.Conv2D(squeezed, 1, activation="silu", kernel_initializer=_spread(), name=f"{name}se_reduce")
    expand = keras.layers.Conv2D(
        x.shape[-1], 1, activation="sigmoid", kernel_initializer=_spread(), name=f"{name}se_expand"
    )
    means = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}se_squeeze")(x)
    return keras.layers.Multiply(name=f"{name}se_excite")([x, expand(squeeze(means))])


def _projected(x: Tensor, filters: int, kernel_size: int, stride: int, name: str) -> Tensor:
    x = layers.Convolution(filters, kernel_size, _spread(), strides=stride, name=f"{name}project_conv")(x)
    return layers.FusedBatchNormalization(momentum=NORM_MOMENTUM, name=f"{name}project_bn")(x)


def _activated(x: Tensor, name: str) -> Tensor:
    normalised = layers.FusedBatchNormalization(momentum=NORM_MOMENTUM, name=f"{name}bn")(x)
    return keras.layers.Activation("silu", name=f"{name}activation")(normalised)


def _spread() -> "keras.initializers.Initializer":
    """A new one a layer: an initializer of Keras gives every layer the same numbers again."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
