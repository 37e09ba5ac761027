"""A whitening first convolution: its outputs on the training images are uncorrelated and of unit variance.

The filters are the principal components of 2 x 2 patches, each divided by its standard deviation, and their negatives;
they are computed and never trained (Coates, Ng & Lee 2011 for patches; as a frozen stem: Page, "How to train your
ResNet 8", 2019, and Jordan 2024, arXiv 2404.00498, where it saves half of the epochs). Biases, which those recipes
train, gain nothing here and would cost a tenth of a step: the gradient of the stem's outputs, the largest maps of all.
"""

import keras
import numpy as np

LAYER = "whitening"
PATCH = 2
NUM_FILTERS = 2 * 3 * PATCH * PATCH
EPSILON = 5e-4  # added to each variance, of pixels scaled to unit deviation: the faintest components are noise
NUM_IMAGES = 5_000


def layer() -> keras.layers.Layer:
    """The convolution, its filters still to be computed: [B, H, W, 3] -> [B, H - 1, W - 1, 24]."""
    return keras.layers.Conv2D(NUM_FILTERS, PATCH, use_bias=False, trainable=False, name=LAYER)


def has_stem(model: keras.Model) -> bool:
    """Whether a model has a whitening layer, which `fit` has to fill before it is trained."""
    return any(layer.name == LAYER for layer in model.layers)


def fit(model: keras.Model, images: np.ndarray) -> None:
    """Compute the filters of the whitening layer of a classifier, from uint8 [N, H, W, 3] training images."""
    stem = model.get_layer(LAYER)
    scaled = keras.Model(model.input, stem.input)(images)
    stem.kernel.assign(kernel(np.asarray(scaled, np.float32)))


def kernel(images: np.ndarray) -> np.ndarray:
    """float32 [2, 2, 3, 24]: the filters, from float32 [N, H, W, 3] images as the layer sees them."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), axis=(1, 2))  # [N, H-1, W-1, 3, 2, 2]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, NUM_FILTERS // 2)
    variances, components = np.linalg.eigh(patches.T @ patches / len(patches))
    filters = components / np.sqrt(variances + EPSILON)
    return np.concatenate([filters, -filters], axis=1).reshape(PATCH, PATCH, 3, NUM_FILTERS).astype(np.float32)
