"""Images as prepared data sets keep them."""

import numpy as np
import tensorflow as tf

from pipeline.datasets import png


def test_every_pixel_comes_back_and_nothing_is_compressed():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    flat = np.full((32, 32, 3), 7, np.uint8)
    for pixels in (image, flat):
        encoded = png.encode(pixels)
        assert np.array_equal(tf.io.decode_png(encoded), pixels)
        assert len(encoded) > pixels.nbytes
