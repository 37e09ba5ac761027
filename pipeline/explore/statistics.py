"""The statistics of a data set, from one pass over each part in constant memory.

Sums are integers, so that results do not depend on the order or the size of the batches.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from pipeline.batches import OpenedData
from pipeline.common import progress
from pipeline.data_config import DataConfig
from pipeline.datasets import builtin

PARTS = ("train", "validation", "test")
BATCH = 500  # examples summed at once: 12 MB as int64 at 32 x 32 pixels
EVERY_CLASS = "all classes"  # what stands for a superclass where the data set has one level of labels


@dataclasses.dataclass(frozen=True)
class PixelSums:
    """Sums over images, from which means and standard deviations follow exactly.

    Attributes:
      counts: int64 [coarse], number of images.
      sums: int64 [coarse, H, W, 3], sums of the pixels, 0 to 255.
      squares: int64 [3], sums of the squared pixels of each channel.
    """

    counts: np.ndarray
    sums: np.ndarray
    squares: np.ndarray

    @classmethod
    def from_batch(cls, images: np.ndarray, coarse: np.ndarray, num_coarse: int) -> "PixelSums":
        """The sums of a batch: uint8 [B, H, W, 3] images and int32 [B] labels."""
        pixels = tf.cast(images, tf.int64)
        return cls(
            np.bincount(coarse, minlength=num_coarse),
            tf.math.unsorted_segment_sum(pixels, coarse, num_coarse).numpy(),
            tf.reduce_sum(pixels * pixels, axis=(0, 1, 2)).numpy(),
        )

    def __add__(self, other: "PixelSums") -> "PixelSums":
        return PixelSums(self.counts + other.counts, self.sums + other.sums, self.squares + other.squares)

    @property
    def num_images(self) -> int:
        """The number of images of all superclasses."""
        return int(self.counts.sum())

    @property
    def channel_mean(self) -> np.ndarray:
        """float64 [3], 0 to 255."""
        return self.sums.sum(axis=(0, 1, 2)) / self._pixels_per_channel

    @property
    def channel_std(self) -> np.ndarray:
        """float64 [3], on the scale 0 to 255: the standard deviation over all pixels of all images."""
        return np.sqrt(self.squares / self._pixels_per_channel - self.channel_mean**2)

    @property
    def mean_image(self) -> np.ndarray:
        """float64 [H, W, 3], 0 to 255."""
        return self.sums.sum(axis=0) / self.num_images

    @property
    def coarse_mean_images(self) -> np.ndarray:
        """float64 [coarse, H, W, 3], 0 to 255; nan where a superclass has no image."""
        with np.errstate(invalid="ignore"):
            return self.sums / self.counts[:, None, None, None]

    @property
    def _pixels_per_channel(self) -> int:
        _, height, width, _ = self.sums.shape
        return self.num_images * height * width


@dataclasses.dataclass(frozen=True)
class Survey:
    """The statistics of a data set.

    Attributes:
      dataset: name of the data set.
      fine_names: names of the classes, in the order of their labels.
      coarse_names: names of the superclasses, likewise; (EVERY_CLASS,) where there are none.
      label_pairs: int64 [fine, coarse] for each of PARTS: the number of images with both labels.
      pixels: sums of "train" and "validation"; pixels of test images are not read.
    """

    dataset: str
    fine_names: tuple[str, ...]
    coarse_names: tuple[str, ...]
    label_pairs: Mapping[str, np.ndarray]
    pixels: Mapping[str, PixelSums]

    @property
    def title(self) -> str:
        """The data set's name, with a warning if it is generated."""
        return f"{self.dataset}: GENERATED, NOT CIFAR-100" if self.dataset in builtin.GENERATED else self.dataset

    @property
    def has_superclasses(self) -> bool:
        """Whether the data set has two levels of labels."""
        return self.coarse_names != (EVERY_CLASS,)

    @property
    def members(self) -> dict[int, tuple[int, ...]]:
        """{superclass: its classes}, from the labels of all parts."""
        pairs = self._all_pairs
        return {coarse: tuple(np.flatnonzero(pairs[:, coarse]).tolist()) for coarse in range(len(self.coarse_names))}

    @property
    def is_nested(self) -> bool:
        """Whether every class lies in exactly one superclass."""
        return bool((np.count_nonzero(self._all_pairs, axis=1) == 1).all())

    @property
    def _all_pairs(self) -> np.ndarray:
        return np.sum(list(self.label_pairs.values()), axis=0)

    def fine_counts(self, part: str) -> np.ndarray:
        """int64 [fine], the number of images of each class."""
        return self.label_pairs[part].sum(axis=1)

    def coarse_counts(self, part: str) -> np.ndarray:
        """int64 [coarse], the number of images of each superclass."""
        return self.label_pairs[part].sum(axis=0)


def survey(config: DataConfig) -> Survey:
    """The statistics of a prepared data set; reads each part once, and of test images only the labels.

    Raises errors as `OpenedData` does.
    """
    opened = OpenedData(config)
    names = {**{"coarse": (EVERY_CLASS,)}, **opened.description.classes.names}
    fine_names, coarse_names = (tuple(name.replace("_", " ") for name in names[level]) for level in ("fine", "coarse"))
    pairs = {part: np.zeros((len(fine_names), len(coarse_names)), np.int64) for part in PARTS}
    size = opened.description.image_size
    no_images = np.empty((0, size, size, 3), np.uint8), np.empty(0, np.int32)
    pixels = {part: PixelSums.from_batch(*no_images, len(coarse_names)) for part in ("train", "validation")}
    for part in PARTS:
        examples = opened.examples(part).rebatch(BATCH) if part in pixels else opened.read(part)
        with progress.task(f"adding up the images of {part}", opened.num_examples[part], "images") as task:
            for batch in examples.as_numpy_iterator():
                coarse = batch.get("coarse", np.zeros_like(batch["fine"]))
                np.add.at(pairs[part], (batch["fine"], coarse), 1)
                if part in pixels:
                    pixels[part] += PixelSums.from_batch(batch["image"], coarse, len(coarse_names))
                task.advance(len(batch["fine"]))
    return Survey(config.shown_name, fine_names, coarse_names, pairs, pixels)


def middle_and_frame(image: np.ndarray) -> tuple[float, float]:
    """Brightness (mean of the channels) of the middle quarter of an image [H, W, 3], and of the frame around it."""
    brightness = image.mean(axis=-1)
    frame = len(image) // 4  # pixels between the border and the middle, which is half as wide
    middle = brightness[frame:-frame, frame:-frame]
    return float(middle.mean()), float((brightness.sum() - middle.sum()) / (brightness.size - middle.size))
