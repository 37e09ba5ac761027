"""Networks built for tests."""

import keras

from models import classifier
from models.config.training import TrainConfig
from tests.descriptions import CIFAR100

LARGE = ("vgg11", "vgg16", "efficientnet_b0", "efficientnet_v2_s")  # seconds to build, so only once, and never called


def built(**values) -> keras.Model:
    return classifier.build(TrainConfig(**{"precision": "float32", **values}), CIFAR100)


def num_trainable(model: keras.Model) -> int:
    return sum(variable.shape.num_elements() for variable in model.trainable_variables)
