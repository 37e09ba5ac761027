"""Images a second of whole training steps, input included, by precision; sides interleaved.

    python -m benchmarks.train_step --out=FILE.json

Rows: `ours/PRESET/PRECISION`, with the ratio to the first precision, and `peer/keras_batch_normalization/...`: the same
network at the last precision with Keras's own layer in the place of the fused one, and how many times faster ours is.
"""

import dataclasses
from typing import TYPE_CHECKING

from absl import flags

from benchmarks import results, timing, training_steps
from models import presets
from models.train_config import TrainConfig
from pipeline import binary, config, errors
from pipeline.data_config import DataConfig, SourceConfig

if TYPE_CHECKING:
    import keras

config.define_flags(SourceConfig)
PRESET = flags.DEFINE_string("preset", "quick", "recipe whose step is measured")
PRECISIONS = flags.DEFINE_list("precisions", ["float32", "mixed_bfloat16"], "precisions to compare, float32 first")
REPEATS = flags.DEFINE_integer("repeats", 3, "rounds", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 20, "steps a round and side", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, "under a minute: few steps, and a figure to match")
OUT = flags.DEFINE_string("out", "", "JSON file to write")


def main() -> None:
    """Measure the sides and publish the rows."""
    values = presets.preset(PRESET.value)
    data = config.build(DataConfig, values, config.given_flags())
    from pipeline import prepare

    binary.load_tensorflow()
    from models import device

    device.claim_gpus_politely()
    data = dataclasses.replace(data, dataset=prepare.prepare(data))
    num_steps = 4 if QUICK.value else STEPS.value
    if len(set(PRECISIONS.value)) < len(PRECISIONS.value):
        raise errors.BadArgumentError(f"precisions={','.join(PRECISIONS.value)}: expected each one once")
    configs = [
        config.build(TrainConfig, values, {"preset": PRESET.value, "precision": name}) for name in PRECISIONS.value
    ]
    sides = [training_steps.side(f"ours/{train.preset}/{train.precision}", data, train, num_steps) for train in configs]
    sides += _stock_side(data, configs[-1], num_steps)
    timings = list(timing.interleave(sides, REPEATS.value).values())
    ours, peers = timings[: len(configs)], timings[len(configs) :]
    rows = [results.row(ours[0], "images/s", batch_size=data.batch_size)]
    rows += [results.row(timed, "images/s", (timed, ours[0]), batch_size=data.batch_size) for timed in ours[1:]]
    rows += [results.row(timed, "images/s", (ours[-1], timed), batch_size=data.batch_size) for timed in peers]
    results.publish("train_step", rows, OUT.value)


def _stock_side(data: DataConfig, train: TrainConfig, num_steps: int) -> list[timing.Side]:
    """The same with Keras's own batch normalisation; no side where the network has none."""
    from models import classifier, precision
    from models.layers import FusedBatchNormalization

    model = classifier.build(train)
    if not any(isinstance(layer, FusedBatchNormalization) for layer in model.layers):
        return []
    with precision.scope(train.precision):
        model = _with_stock_normalisation(model)
    name = f"peer/keras_batch_normalization/{train.preset}/{train.precision}"
    return [training_steps.side(name, data, train, num_steps, model)]


def _with_stock_normalisation(model: "keras.Model") -> "keras.Model":
    import keras

    from models.layers import FusedBatchNormalization

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, FusedBatchNormalization):
            return keras.layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
