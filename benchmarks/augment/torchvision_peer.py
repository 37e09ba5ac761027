"""torchvision at the study's augmentation, as a `DataLoader` runs it; loads without torch, and its workers without us.

Workers are processes of their own: they import this module, so it must stay light.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

INSTALL = "python -m pip install -e '.[peers]'"


class Views:
    """A data set for `DataLoader`: example i is image i, changed anew each time that it is asked for."""

    def __init__(self, images: Any, transform: Any) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.images[index])


class SameBatches:
    """Which examples `DataLoader` loads: all of them, `num_batches` times."""

    def __init__(self, batch_size: int) -> None:
        self.num_batches, self._batch = 1, list(range(batch_size))

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        return iter([self._batch] * self.num_batches)


class Study:
    """Callable `study(num_batches)`: loads so many batches, each image with draws of its own.

    Args:
      images: uint8 [B, H, W, C].
      num_workers: processes that transform; 0 is this one.

    Attributes:
      least_batches: a measurement needs, since a worker makes whole batches: four for each.
    """

    def __init__(self, images: np.ndarray, num_workers: int) -> None:
        import torch
        from torch.utils.data import DataLoader

        torch.set_num_threads(1)  # as in workers; images this small lose by more
        self.least_batches = 4 * max(num_workers, 1)
        self._sampler = SameBatches(len(images))
        self._loader = DataLoader(
            Views(torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), _transform()),
            batch_sampler=self._sampler,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            multiprocessing_context="spawn" if num_workers else None,  # TensorFlow's threads do not survive a fork
        )

    def __call__(self, num_batches: int) -> Any:
        """The last of the batches, float32 [B, C, H, W], 0 to 255."""
        self._sampler.num_batches = num_batches
        last = None
        for batch in self._loader:
            last = batch.float()
        return last


def load(images: np.ndarray) -> dict[str, Study]:
    """The peer by the names of its two forms: in this process, and with a worker for each CPU.

    Where torchvision cannot be had there is none, and one line says why.
    """
    try:
        return {"torchvision": Study(images, 0), "torchvision_workers": Study(images, os.cpu_count() or 1)}
    except (ImportError, OSError, RuntimeError) as error:  # the latter two: of a torch that does not fit
        reason = " ".join(str(error).split())
        print(f"peer/torchvision/study is left out: {reason}; to install it: {INSTALL}", flush=True)
        return {}


def _transform() -> Any:
    """The nearest that torchvision has, in uint8, which is its faster form: colours would need 0 to 1 as floats."""
    from torchvision.transforms import v2

    bilinear = v2.InterpolationMode.BILINEAR
    return v2.Compose(
        [
            v2.RandomAffine(degrees=90, shear=0.2, scale=(0.8, 1.2), interpolation=bilinear),
            v2.ColorJitter(brightness=0.2),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
        ]
    )
