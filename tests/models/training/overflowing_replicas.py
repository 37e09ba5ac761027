"""An overflow on the second of two replicas, logical CPU devices of a process of its own, here and with Keras alone.

python -m tests.models.training.overflowing_replicas DATA_DIR  # here
python -m tests.models.training.overflowing_replicas           # with Keras alone; a process has one strategy

Prints, as JSON, the loss scale, the optimizer's updates and whether all weights are finite after three steps.
"""

import json
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.training.step import TrainStep
from tests.models.training.replicated_runs import trained

FIRST_SCALE = 2.0**15


def overflowing(gradients: list[tf.Tensor], scale: tf.Tensor) -> list[tf.Tensor]:
    """The gradients, of the second replica infinite at the first scale."""
    number = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int32)
    is_overflow = (number == 1) & (tf.convert_to_tensor(scale) == FIRST_SCALE)
    return [tf.where(is_overflow, np.inf, gradient) for gradient in gradients]


def state(optimizer: Any, weights: list[Any]) -> dict[str, Any]:
    local = tf.distribute.get_strategy().experimental_local_results
    values = [value.numpy() for weight in weights for value in local(weight.value)]
    scale, count = float(optimizer.dynamic_scale.numpy()), int(optimizer.iterations.numpy())
    return {"scale": scale, "updates": count, "is_finite": all(np.isfinite(value).all() for value in values)}


def here(data_dir: str) -> dict[str, Any]:
    gradients = TrainStep._gradients

    def overflowed(self: TrainStep, *arguments: Any) -> Any:
        logits, values = gradients(self, *arguments)
        return logits, overflowing(values, self._optimizer.dynamic_scale)

    TrainStep._gradients = overflowed  # type: ignore[method-assign]
    values = {"precision": "mixed_float16", "max_steps": 3}
    result, _ = trained("regularized", data_dir, "mirrored", **values)
    return state(result.model.optimizer, result.model.trainable_variables)


def with_keras() -> dict[str, Any]:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        weight = keras.Variable(np.ones(3, np.float32))
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
        optimizer.build([weight])

    def step() -> None:
        optimizer.apply(overflowing([tf.ones(3)], optimizer.dynamic_scale), [weight])

    for _ in range(3):
        tf.function(lambda: strategy.run(step))()
    with strategy.scope():
        return state(optimizer, [weight])


def main() -> None:
    """Print the states after three steps."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    print(json.dumps(here(*sys.argv[1:]) if sys.argv[1:] else with_keras()))


if __name__ == "__main__":
    main()
