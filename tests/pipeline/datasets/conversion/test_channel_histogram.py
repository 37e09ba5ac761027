"""Channel statistics are exact, in however many pieces the images come."""

import numpy as np
import pytest

from pipeline.datasets.conversion import channel_histogram
from pipeline.datasets.conversion.channel_histogram import ChannelHistogram


def test_means_and_deviations_are_those_of_all_pixels(monkeypatch):
    monkeypatch.setattr(channel_histogram, "CHUNK_PIXELS", 7)
    images = np.random.default_rng(0).integers(0, 256, (10, 5, 5, 3), np.uint8)
    histogram = ChannelHistogram()
    histogram.add(images[:3])
    histogram.add(images[3:])
    means, deviations = histogram.means_and_deviations()
    pixels = images.reshape(-1, 3).astype(np.float64)
    assert means == pytest.approx(pixels.mean(axis=0), rel=1e-14)
    assert deviations == pytest.approx(pixels.std(axis=0), rel=1e-14)


def test_the_deviation_of_one_colour_is_zero():
    histogram = ChannelHistogram()
    histogram.add(np.full((4, 8, 8, 3), (255, 1, 77), np.uint8))
    assert histogram.means_and_deviations() == ((255.0, 1.0, 77.0), (0.0, 0.0, 0.0))
