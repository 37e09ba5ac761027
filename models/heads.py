"""The heads of a model: float32 logits from a trunk's features, one head a label."""

import keras

from models.config.heads import Head, HeadsConfig


def head(features: keras.KerasTensor, name: str, config: HeadsConfig, num_classes: int) -> keras.KerasTensor:
    """Features [B, F] of any dtype -> float32 logits [B, num_classes], through the head's hidden layers if it has any.

    Hidden layers compute in the policy, logits never in half precision: rounding them moves the softmax of 100 classes.
    The logit scale keeps a network without a last normalization from starting overconfident (1/9 to 1/8 in the fast
    CIFAR recipes).
    """
    shape = config.head(name)
    x = features
    penalty = keras.regularizers.L2(shape.l2) if shape.l2 else None
    hidden = {"activation": "relu", "kernel_initializer": "he_normal", "kernel_regularizer": penalty}
    for number in range(1, shape.hidden_layers + 1):
        x = _dropped(x, shape, f"{name}_dropout_{number}")
        x = keras.layers.Dense(shape.hidden_units, **hidden, name=f"{name}_hidden_{number}")(x)
    x = _dropped(x, shape, f"{name}_dropout")
    logits = keras.layers.Dense(num_classes, kernel_regularizer=penalty, dtype="float32", name=f"{name}_logits")
    if config.logit_scale == 1.0:
        return logits(x)
    return keras.layers.Rescaling(config.logit_scale, dtype="float32", name=f"{name}_scaled")(logits(x))


def _dropped(x: keras.KerasTensor, shape: Head, name: str) -> keras.KerasTensor:
    return keras.layers.Dropout(shape.dropout, name=name)(x) if shape.dropout else x
