"""A model, its optimizer and its training step, and the losses of several steps."""

import keras
import tensorflow as tf

from models import classifier, metrics
from models.config.training import TrainConfig
from models.optimizers.build import build_optimizer
from models.training.step import TrainStep
from pipeline.data_config import DataConfig
from tests.descriptions import CIFAR100


def prepared(data=None, **values) -> tuple[keras.Model, keras.optimizers.Optimizer, TrainStep]:
    config = TrainConfig(**{"precision": "float32", "schedule": "constant", "learning_rate": 0.1, **values})
    model = classifier.build(config, CIFAR100)
    optimizer = build_optimizer(config, model.trainable_variables)
    return model, optimizer, TrainStep(model, optimizer, data or DataConfig(), CIFAR100, config, total_steps=100)


def losses_of_steps(step: TrainStep, batch, num_steps: int) -> list[float]:
    losses = []
    for number in range(num_steps):
        step.metric_totals.assign(tf.zeros_like(step.metric_totals))
        step(batch, number)
        losses.append(metrics.means(step.metric_totals, "both", CIFAR100.classes)["loss"])
    return losses
