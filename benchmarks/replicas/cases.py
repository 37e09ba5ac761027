"""What `benchmarks.replicas` measures on this machine: whole trainings in one process and in several, and input."""

import dataclasses
import itertools
import json
import math
import pathlib
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.harness import data as harness_data
from benchmarks.harness import subprocess_call, timing
from benchmarks.replicas import products
from benchmarks.replicas.cost_model import Work
from models import classifier
from models.config.training import TrainConfig
from models.reporting import flops
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig


@dataclasses.dataclass(frozen=True)
class Division:
    """How a training is divided: the flag --distribute, and the number of processes."""

    distribute: str
    processes: int = 1

    @property
    def flags(self) -> list[str]:
        """The flags of models.train."""
        several = [f"--num_processes={self.processes}"] if self.distribute == "multi_worker" else []
        return [f"--distribute={self.distribute}", *several]


def trained_images_per_s(
    division: Division, recipe: str, data: DataConfig, flags: Sequence[str], num_steps: int
) -> float:
    """Images per second of the second one of two epochs of so many steps, at full resolution; the first one traces.

    `flags` are further ones of models.train, such as those of the data set.
    """
    size = OpenedData(data).input_size
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "models.train", f"--preset={recipe}", f"--run_dir={folder}/run", *flags]
        command += [*division.flags, "--num_validation=0", "--epochs=2", f"--resolutions={size}:1"]
        command += [f"--virtual_examples={num_steps * data.batch_size}"]
        subprocess_call.run(" ".join(division.flags), command)
        rows = pathlib.Path(folder, "run", "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(rows[-1])["examples_per_second"]


def kernels_of(data: DataConfig, train: TrainConfig) -> list[products.Shape]:
    """The kernels that Muon updates, as matrices; none where it is not the optimizer."""
    if train.optimizer != "muon":
        return []
    variables = classifier.build(train, OpenedData(data).description).trainable_variables
    shapes = [variable.shape for variable in variables if len(variable.shape) == 4]
    return [(math.prod(shape[:-1]), shape[-1]) for shape in shapes]


def input_images_per_s(data: DataConfig) -> float:
    """Images per second of the input pipeline alone, over one pass."""
    opened = OpenedData(data)
    num_batches = opened.num_examples["train"] // data.batch_size
    batches = harness_data.train_batches(opened)
    next(batches)  # reads the data set
    seconds = timing.seconds_of(lambda: [None for _ in itertools.islice(batches, num_batches)])
    return num_batches * data.batch_size / seconds


def work_of(data: DataConfig, train: TrainConfig) -> Work:
    """The work of a step of configurations at full resolution; gradients are passed on in float32."""
    opened = OpenedData(data)
    model = classifier.build(train, opened.description, opened.input_size)
    num_trained = sum(variable.shape.num_elements() for variable in model.trainable_variables)
    return Work(
        images=data.batch_size,
        image_operations=6.0 * flops.multiply_adds(model, opened.input_size),
        optimizer_operations=1e15 * flops.optimizer_petaflop(model, train, num_steps=1),
        gradient_bytes=4 * num_trained,
    )
