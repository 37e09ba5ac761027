"""The parts of a training step, and the part that each of its operations belongs to."""

import re

MULTIPLYING = ("forward", "input_gradients", "kernel_gradients", "optimizer")  # whose rates count
OTHER = "other"
PARTS = ("augmentation", *MULTIPLYING[:3], "normalization", "activations", "pooling", "heads", "optimizer", OTHER)
# The first pattern that is found in "scope/name:Type" decides. TrainStep, the gradients of convolutions and Keras's
# layers name scopes; Grappler keeps scopes, and oneDNN's types contain TensorFlow's. Right below "gradients" stand the
# operations of custom gradients, those of activations, and sums of gradients (AddN).
_PATTERNS = (
    ("augmentation", r"(^|/)augmentation/"),
    ("optimizer", r"(^|/)optimizer(_\d+)?/"),
    ("heads", r"(^|/)heads(_\d+)?/"),
    ("kernel_gradients", r"/kernel_gradient(_\d+)?/|BackpropFilter|gradient_tape/.*conv.*:(Cast|BiasAddGrad)$"),
    ("input_gradients", r"/images_gradient(_\d+)?/|BackpropInput"),
    ("activations", r"activation|:\w*([Ee]lu|Swish|Sigmoid|Tanh)|(^|/)gradients(_\d+)?/(\w+Optimizer/)?[^/]+:(?!AddN)"),
    ("normalization", r"normali[sz]ation|BatchNorm|_bn(_\d+)?/"),
    ("pooling", r"pool|se_squeeze"),
    ("input_gradients", r"gradient_tape/.*conv"),
    ("forward", r"conv|whitening|Conv2D"),
    ("heads", r"/(fine|coarse)_|dense|MatMul"),
)


def part_of(name: str, kind: str) -> str:
    """The part of an operation by its name, scopes included, and its type, such as "Conv2D"."""
    operation = f"{name}:{kind}"
    return next((part for part, pattern in _PATTERNS if re.search(pattern, operation)), OTHER)
