"""PyTorch's side of `benchmarks.train_step`, in a process of its own; loads without torch.

Not in ours: what `torch.compile` loads brings an LLVM that ends a process which holds TensorFlow's by a segmentation
fault. Nothing that runs there may load TensorFlow. While one process computes the other one sleeps.
"""

import concurrent.futures
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.augment.torchvision_peer import INSTALL
from benchmarks.harness import timing
from models.config.training import TrainConfig
from pipeline.common import errors

if TYPE_CHECKING:
    from benchmarks.train_step import torch_steps

TWINS = {  # what can be compared, by field of `TrainConfig`; float16 would need loss scaling
    "architecture": ("residual", "fast", "resnet", "wide_resnet"),
    "pixel_scaling": ("standardise",),
    "optimizer": ("sgd", "muon"),
    "sam_radius": (0.0,),
    "average_decay": (0.0,),
    "lookahead_steps": (0,),
    "precision": ("float32", "mixed_bfloat16"),
}
MODES = ("eager", "compiled")
COMPILE_S = 600.0


class Made(NamedTuple):
    """A side that is ready.

    Attributes:
      num_parameters: that are trained.
      multiply_adds: of one image's way forward, as PyTorch itself counts.
      first_s: seconds of its first step, compilation included.
    """

    num_parameters: int
    multiply_adds: int
    first_s: float


class Peer:
    """The other process, for a `with` block.

    Args:
      compile_s: seconds that the first step of a compiled side may take.
    """

    def __init__(self, compile_s: float = COMPILE_S) -> None:
        self._compile_s = compile_s
        self._made: dict[str, tuple[TrainConfig, dict[str, np.ndarray], str]] = {}
        self._start()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown(cancel_futures=True)

    def is_there(self, uses_gpu: bool) -> bool:
        """Whether PyTorch can be had, and computes where TensorFlow does; if not, one line says why."""
        try:
            if self._process.submit(_sees_gpu).result() == uses_gpu:
                return True
            reason = "one of TensorFlow and PyTorch would compute on the GPU and the other one not"
        except (ImportError, OSError, RuntimeError) as error:  # the latter two: of a torch that does not fit
            reason = f"{' '.join(str(error).split())}; to install it: {INSTALL}"
        print(f"peer/pytorch is left out: {reason}", flush=True)
        return False

    def make(self, name: str, config: TrainConfig, batch: Mapping[str, np.ndarray], mode: str) -> Made:
        """Make a side and do its first step; where that fails, those made before it stand.

        Args:
          name: of the side.
          config: one that `has_twin`.
          batch: `image` uint8 [B, H, W, 3], `fine` and `coarse` int32 [B].
          mode: one of `MODES`.

        Raises:
          errors.FailedError: PyTorch could not, or not within the seconds that compiling may take.
        """
        limit_s = self._compile_s if mode == "compiled" else None
        try:
            made = self._process.submit(_make, name, config, dict(batch), mode).result(limit_s)
        except concurrent.futures.BrokenExecutor as error:
            self._restart()
            raise errors.FailedError(f"{name}: PyTorch's process died ({error}); --nopeers goes without it") from error
        except concurrent.futures.TimeoutError as error:
            os.kill(self._process_id.result(), signal.SIGKILL)  # nothing else stops a compiler that is at work
            self._restart()
            raise errors.FailedError(
                f"{name}: compiling took more than {limit_s:g} s; --compile_s gives it more, or 0 to go without it"
            ) from error
        self._made[name] = (config, dict(batch), mode)
        return made

    def side(self, name: str, num_steps: int, batch_size: int) -> timing.Side:
        """So many steps a round of a side that was made."""
        return timing.Side(name, lambda: self._process.submit(_run, name, num_steps).result(), num_steps * batch_size)

    def forget(self) -> None:
        """Let go of all sides, and of their memory."""
        self._made.clear()
        self._process.submit(_sides.clear).result()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
        self._process = concurrent.futures.ProcessPoolExecutor(1, context)
        self._process_id = self._process.submit(os.getpid)

    def _restart(self) -> None:
        """Make the sides again, in a new process."""
        self._process.shutdown()
        self._start()
        for name, side in self._made.items():
            self._process.submit(_make, name, *side).result()


def has_twin(config: TrainConfig) -> bool:
    """Whether a configuration can be compared."""
    return all(getattr(config, field) in values for field, values in TWINS.items())


def require_equal(name: str, what: str, ours: int, theirs: int) -> None:
    """See that the two sides are the same network.

    Raises:
      errors.FailedError: they are not, so that a comparison would mean nothing.
    """
    if ours != theirs:
        raise errors.FailedError(
            f"{name} has {theirs} {what}, ours has {ours}: expected the same network on both sides; "
            "correct benchmarks/train_step/torch_networks.py"
        )


# What follows runs in the other process.

_sides: "dict[str, torch_steps.Steps]" = {}


def _sees_gpu() -> bool:
    from benchmarks.train_step import torch_steps

    return torch_steps.device() == "cuda"


def _make(name: str, config: TrainConfig, batch: dict[str, np.ndarray], mode: str) -> Made:
    from benchmarks.train_step import torch_steps

    torch_steps.use_all_processors()
    model = torch_steps.network(config)
    steps = torch_steps.Steps(model, config, batch, mode)
    started = time.perf_counter()
    try:
        steps().item()  # waits for the device
    except Exception as error:  # whatever a compiler may say; few of torch's exceptions can travel
        raise errors.FailedError(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
    first_s = time.perf_counter() - started
    _sides[name] = steps
    return Made(torch_steps.num_parameters(model), torch_steps.multiply_adds(model), first_s)


def _run(name: str, num_steps: int) -> None:
    for _ in range(num_steps):
        loss = _sides[name]()
    loss.item()  # waits for the device
