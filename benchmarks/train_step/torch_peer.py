"""PyTorch's cases of `benchmarks.train_step`, in a process of their own; importable without torch.

The LLVM that `torch.compile` loads ends a process which holds TensorFlow's by a segmentation fault, so nothing that
runs there may load TensorFlow. While one process computes the other one sleeps.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.harness import peers, timing
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.common.process.worker_process import RemoteCallError, Worker, WorkerDiedError, WorkerError
from pipeline.datasets.description import Description

if TYPE_CHECKING:
    from benchmarks.train_step import torch_steps

TWINS = {  # the values of fields of `TrainConfig` that can be compared; float16 would need loss scaling
    "architecture": ("resnet9", "speedrun", "resnet18", "wide_resnet"),
    "pixel_scaling": ("standardise",),
    "optimizer": ("sgd", "muon"),
    "sam_radius": (0.0,),
    "ema_decay": (0.0,),
    "lookahead_steps": (0,),
    "precision": ("float32", "mixed_bfloat16"),
}
MODES = ("eager", "compiled")
COMPILE_S = 600.0


class Made(NamedTuple):
    """A network whose steps can be timed."""

    num_parameters: int  # that are trained
    multiply_adds: int  # of the forward pass of one image, as PyTorch counts
    first_s: float  # seconds of the first step, compilation included


class Peer:
    """The other process, for a `with` block; the first step of a compiled network may take `compile_s` seconds."""

    def __init__(self, compile_s: float = COMPILE_S) -> None:
        self._compile_s = compile_s
        self._made: dict[str, tuple[TrainConfig, Description, dict[str, np.ndarray], str]] = {}
        self._worker = Worker()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the other process."""
        self._worker.submit(function, *arguments)
        return self._worker.result()

    def is_available(self, uses_gpu: bool) -> bool:
        """Whether PyTorch is installed and computes where TensorFlow does; if not, one line says why."""
        try:
            if self.call(_sees_gpu) == uses_gpu:
                return True
            reason = "one of TensorFlow and PyTorch would compute on the GPU and the other one not"
        except WorkerError as error:
            reason = f"{error}; to install it: {peers.INSTALL}"
        peers.print_left_out("peer/pytorch", reason)
        return False

    def make(
        self, name: str, config: TrainConfig, description: Description, batch: Mapping[str, np.ndarray], mode: str
    ) -> Made:
        """Make a network and do its first step; a failure leaves those made before in place.

        The configuration is one that `has_twin`, the batch as of `torch_steps.Steps`, the mode one of `MODES`.

        Raises:
          errors.FailedError: PyTorch failed, or took longer than compiling may take.
        """
        self._worker.submit(_make, name, config, description, dict(batch), mode)
        if mode == "compiled" and not self._worker.is_done(self._compile_s):
            self._restart()
            raise errors.FailedError(
                f"{name}: compiling took more than {self._compile_s:g} s; set --compile_s, 0 leaves it out"
            )
        try:
            made: Made = self._worker.result()
        except WorkerDiedError as error:
            self._restart()
            raise errors.FailedError(f"{name}: PyTorch's process died ({error}); --nopeers leaves it out") from error
        except RemoteCallError as error:
            raise errors.FailedError(f"{name}: {str(error)[:200]}") from error
        self._made[name] = (config, description, dict(batch), mode)
        return made

    def case(self, labels: Labels, num_steps: int) -> Case:
        """The case of `num_steps` steps of the network that was made under this name."""
        assert labels.batch_size is not None
        return Case(labels, lambda: self.call(_run, labels.name, num_steps), num_steps * labels.batch_size)

    def clear(self) -> None:
        """Drop all networks and their memory."""
        self._made.clear()
        self.call(_clear)

    def _restart(self) -> None:
        """Make the networks again, in a new process: nothing else stops a compiler."""
        self._worker.stop()
        for name, arguments in self._made.items():
            self.call(_make, name, *arguments)


def has_twin(config: TrainConfig) -> bool:
    """Whether a configuration can be compared."""
    return all(config.get(field, values[0]) in values for field, values in TWINS.items())


def check_equal(name: str, what: str, ours: int, theirs: int) -> None:
    """Raise errors.FailedError where a count of both networks differs, so that a comparison would mean nothing."""
    if ours != theirs:
        raise errors.FailedError(
            f"{name} has {theirs} {what}, ours has {ours}: expected the same network; "
            "correct benchmarks/train_step/torch_networks.py"
        )


# Functions below run in the other process.

_steps: "dict[str, torch_steps.Steps]" = {}


def _sees_gpu() -> bool:
    from benchmarks.train_step import torch_steps

    return torch_steps.device() == "cuda"


def _make(name: str, config: TrainConfig, description: Description, batch: dict[str, np.ndarray], mode: str) -> Made:
    from benchmarks.train_step import torch_steps

    torch_steps.use_all_processors()
    model = torch_steps.network(config, description)
    steps = torch_steps.Steps(model, config, batch, mode)
    first_s = timing.seconds_of(lambda: steps().item())  # waits for the device
    _steps[name] = steps
    input_size = batch["image"].shape[1]
    return Made(torch_steps.num_parameters(model), torch_steps.multiply_adds(model, input_size), first_s)


def _run(name: str, num_steps: int) -> None:
    for _ in range(num_steps):
        loss = _steps[name]()
    loss.item()  # waits for the device


def _clear() -> None:
    _steps.clear()
