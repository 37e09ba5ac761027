"""How often each value of each channel occurs in many images, from which means and deviations are exact."""

import math

import numpy as np

from pipeline.datasets.description import Channels

CHUNK_PIXELS = 1 << 20  # that are counted at a time: counting takes 8 bytes a value


class ChannelHistogram:
    """The histogram of the images that were added."""

    def __init__(self) -> None:
        self._counts = np.zeros((3, 256), np.int64)

    def add(self, images: np.ndarray) -> None:
        """Count the pixels of images, uint8 [N, H, W, 3]."""
        pixels = images.reshape(-1, 3)
        for begin in range(0, len(pixels), CHUNK_PIXELS):
            for channel, values in enumerate(pixels[begin : begin + CHUNK_PIXELS].T):
                self._counts[channel] += np.bincount(values, minlength=256)

    def means_and_deviations(self) -> tuple[Channels, Channels]:
        """The means and the standard deviations of red, green and blue, 0 to 255, computed in integers."""
        red, green, blue = map(_mean_and_deviation, self._counts.tolist())
        return (red[0], green[0], blue[0]), (red[1], green[1], blue[1])


def _mean_and_deviation(counts: list[int]) -> tuple[float, float]:
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value**2 * count for value, count in enumerate(counts))
    return total / number, math.sqrt(number * squares - total**2) / number
