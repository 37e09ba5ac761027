"""What the tests of the transforms share."""

import keras
import numpy as np
import pytest
import tensorflow as tf


def _dataset(function, *tensors):
    return tf.data.Dataset.from_tensors(tensors).map(function).get_single_element()


_WAYS = {
    "eager": lambda function, *tensors: function(*tensors),
    "graph": lambda function, *tensors: tf.function(function)(*tensors),
    "tf_data": _dataset,
    "xla": lambda function, *tensors: tf.function(function, jit_compile=True)(*tensors),
}


@pytest.fixture
def images() -> np.ndarray:
    """Noise, in which no two neighbouring pixels agree: the hardest picture to resample, and to mistake."""
    return np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype(np.float32)


@pytest.fixture(params=list(_WAYS))
def run(request):
    """Call `function(*arguments)`, nests of arrays, eagerly, in a graph, inside tf.data, or compiled by XLA."""
    return lambda function, *arguments: _WAYS[request.param](function, *tf.nest.map_structure(tf.constant, arguments))


@pytest.fixture(params=["float32", "mixed_bfloat16", "mixed_float16"])
def policy(request):
    """The global precision policy, put back afterwards."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)
