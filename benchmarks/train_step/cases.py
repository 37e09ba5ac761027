"""What `benchmarks.train_step` measures of a recipe: our training steps, and PyTorch's."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from benchmarks.harness import training_steps
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from benchmarks.train_step import torch_peer
from benchmarks.train_step.torch_peer import Peer
from models import classifier
from models.config.training import TrainConfig
from models.layers.batch_norm import FusedBatchNormalization
from models.reporting import flops
from models.runtime import precision
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.datasets import prepared

QUICK_STEP_MULTIPLY_ADDS = 11.9e9  # forward, of a step of `quick`
STEP, PEER = "ours/{recipe}/{precision}", "peer/{peer}/{recipe}/{precision}"


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is measured."""

    repeats: int  # rounds
    num_steps: int  # of a case in a round, for recipes no more expensive than `quick`; more expensive ones make fewer
    peer_modes: tuple[str, ...]  # of PyTorch: "eager" and "compiled"
    peer_precisions: tuple[str, ...]  # at which PyTorch is measured

    def num_steps_of(self, multiply_adds: int, batch_size: int) -> int:
        """Steps in a round of a network with `multiply_adds` an image."""
        share = QUICK_STEP_MULTIPLY_ADDS / (multiply_adds * batch_size)
        return max(1, round(self.num_steps * min(share, 1.0)))


class Recipe:
    """A recipe at several precisions (resolved, each once), and the cases that measure it.

    `source` has the values of a `SourceConfig`, of a prepared data set.
    """

    def __init__(self, name: str, source: Mapping[str, Any], precisions: Sequence[str], effort: Effort) -> None:
        self.name, self.effort = name, effort
        configurations = [training_steps.configured(name, source, precision) for precision in precisions]
        self.data, self.trains = configurations[0][0], [train for _, train in configurations]
        self.description = prepared.description(self.data.data_dir, self.data.prepared_name)
        opened = OpenedData(self.data)
        self.input_size = opened.input_size
        network = classifier.build(self.trains[0], self.description, self.input_size)
        self.multiply_adds = flops.multiply_adds(network, self.input_size)
        self.num_steps = effort.num_steps_of(self.multiply_adds, self.data.batch_size)
        self.stream = iter(opened.train(seed=0))
        self.batch = next(self.stream)

    def labels(self, template: str, kind: str, train: TrainConfig, **fields: Any) -> Labels:
        """Labels of a row of this recipe at the precision of a configuration."""
        size = self.data.batch_size
        return Labels.of(template, kind, recipe=self.name, precision=train.precision, batch_size=size, **fields)

    def steps(self) -> list[Case]:
        """Whole steps at each precision on the input pipeline, and variants of those at the last precision.

        The variants: with the images on the device, on one batch, since the last precision waits for data the most, and
        with Keras's batch normalization, where the network has any.
        """
        cases = []
        for train in self.trains:
            steps = training_steps.Steps(self.data, train, self.num_steps)
            cases.append(steps.case(self.labels(STEP, "step", train), self.stream))
        on_device = self.data.replace(cache="device")
        labels = self.labels(STEP + "/cache_{cache}", "cache", train, cache=on_device.cache)
        cases.append(training_steps.case(labels, on_device, train, self.num_steps))
        cases.append(steps.case(self.labels(STEP + "/one_batch", "one_batch", train), itertools.repeat(self.batch)))
        model = classifier.build(train, self.description, self.input_size)
        if any(isinstance(layer, FusedBatchNormalization) for layer in model.layers):
            with precision.scope(train.precision):
                model = with_keras_normalisation(model)
            steps = training_steps.Steps(self.data, train, self.num_steps, model)
            labels = self.labels(PEER, "step", train, peer="keras_batch_normalization")
            cases.append(steps.case(labels, self.stream))
        return cases

    def bare_steps(self, peer: Peer) -> tuple[list[Case], dict[str, float]]:
        """Our bare steps and PyTorch's, at each precision that is to be compared.

        Returns the cases, and the seconds to the end of the first step by the names of PyTorch's cases. Raises
        errors.FailedError where PyTorch's network is not the same as ours.
        """
        cases: list[Case] = []
        first_s: dict[str, float] = {}
        for train in self.trains:
            if train.precision in self.effort.peer_precisions and torch_peer.has_twin(train):
                compared, seconds = self._compared(train, peer)
                cases += compared
                first_s |= seconds
        return cases, first_s

    def _compared(self, train: TrainConfig, peer: Peer) -> tuple[list[Case], dict[str, float]]:
        # A small constant rate: the rate costs nothing, and repeating one batch must not make the weights diverge.
        train = dataclasses.replace(train, schedule="constant", learning_rate=1e-3)
        unaugmented = dataclasses.replace(self.data, augmentation="none")
        steps = training_steps.Steps(unaugmented, train, self.num_steps)
        bare_batch = next(iter(OpenedData(unaugmented).train(seed=0)))
        num_parameters = sum(variable.shape.num_elements() for variable in steps.model.trainable_variables)
        batch = {key: value.numpy() for key, value in bare_batch.items()}
        cases = [steps.case(self.labels(STEP + "/bare", "bare", train), itertools.repeat(bare_batch))]
        first_s: dict[str, float] = {}
        for mode in self.effort.peer_modes:
            labels = self.labels(PEER, "bare", train, peer=f"pytorch_{mode}", mode=mode)
            print(f"  {labels.name}", flush=True)  # compiling takes minutes
            try:
                made = peer.make(labels.name, train, self.description, batch, mode)
            except errors.FailedError as error:
                if mode == "eager":
                    raise
                print(f"left out: {error}", flush=True)  # such as where there is no C++ compiler
                continue
            torch_peer.check_equal(labels.name, "trained parameters", num_parameters, made.num_parameters)
            torch_peer.check_equal(labels.name, "multiply-adds", self.multiply_adds, made.multiply_adds)
            first_s[labels.name] = made.first_s
            cases.append(peer.case(labels, self.num_steps))
        return cases, first_s


def with_keras_normalisation(model: keras.Model) -> keras.Model:
    """The same network with Keras's batch normalization instead of each fused one."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, FusedBatchNormalization):
            return keras.layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon, scale=layer.scale)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)
