"""Dirac initialisation."""

import keras
import numpy as np

from models.layers.dirac import DiracInitializer


def test_dirac_kernels_hand_channels_on():
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    for kernel_size in (1, 2, 3):
        layer = keras.layers.Conv2D(
            7, kernel_size, padding="same", use_bias=False, kernel_initializer=DiracInitializer(seed=1)
        )
        answers = layer(images).numpy()
        np.testing.assert_allclose(answers[..., :4], images, atol=1e-6)
        assert np.abs(answers[..., 4:]).max() > 0.1
