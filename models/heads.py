"""What a model answers: float32 logits from a trunk's features, one head a label."""

import keras

from pipeline.labels import NUM_COARSE, NUM_FINE

NUM_CLASSES = {"fine": NUM_FINE, "coarse": NUM_COARSE}


def names(heads: str) -> tuple[str, ...]:
    """`both` -> ("fine", "coarse"); a single head's name -> itself."""
    return tuple(NUM_CLASSES) if heads == "both" else (heads,)


def head(features: keras.KerasTensor, name: str, logit_scale: float) -> keras.KerasTensor:
    """Features [B, F] of any dtype -> float32 logits [B, classes].

    Logits stay out of half precision: rounding them moves the softmax of 100 classes. `logit_scale` keeps a network
    without a last normalisation from starting overconfident (1/9 to 1/8 in the fast CIFAR recipes).
    """
    logits = keras.layers.Dense(NUM_CLASSES[name], dtype="float32", name=f"{name}_logits")(features)
    if logit_scale == 1.0:
        return logits
    return keras.layers.Rescaling(logit_scale, dtype="float32", name=f"{name}_scaled")(logits)
