"""torchvision at the augmentation of the original study, as a `DataLoader` runs it; importable without torch.

The worker processes import this module, so it must stay light.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.harness import peers
from pipeline.common import cpu


class Views:
    """A data set for `DataLoader`: example i is image i, with new draws at each access."""

    def __init__(self, images: Any, transform: Any) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.images[index])


class SameBatches:
    """A batch sampler for `DataLoader`: all examples, `num_batches` times."""

    def __init__(self, batch_size: int) -> None:
        self.num_batches, self._batch = 1, list(range(batch_size))

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        return iter([self._batch] * self.num_batches)


class Loader:
    """Callable `loader(num_batches)`: loads that number of batches, with separate draws for each image.

    Images are uint8 [B, H, W, C]; without workers this process transforms them. `min_batches` is the fewest of a
    measurement, since a worker makes whole batches: four for each worker.
    """

    def __init__(self, images: np.ndarray, num_workers: int) -> None:
        import torch
        from torch.utils.data import DataLoader

        torch.set_num_threads(1)  # as in workers; images this small lose by more
        self.min_batches = 4 * max(num_workers, 1)
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
        for batch in self._loader:
            last = batch.float()
        return last


def load(images: np.ndarray) -> dict[str, Loader]:
    """The loaders by the names of their peers: in this process, and with a worker for each CPU.

    Without torchvision the result is empty, and one line says why.
    """
    try:
        return {"torchvision": Loader(images, 0), "torchvision_workers": Loader(images, cpu.count())}
    except peers.IMPORT_ERRORS as error:
        peers.print_left_out("peer/torchvision/original", f"{error}; to install it: {peers.INSTALL}")
        return {}


def _transform() -> Any:
    """The nearest that torchvision has, in uint8, which is its faster form: colors would need 0 to 1 as floats."""
    from torchvision.transforms import v2

    affine = v2.RandomAffine(degrees=90, shear=0.2, scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR)
    return v2.Compose([affine, v2.ColorJitter(brightness=0.2), v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()])
