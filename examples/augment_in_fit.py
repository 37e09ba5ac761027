"""Use the augmentation layers in a Keras model and a `model.fit` of your own.

    python examples/augment_in_fit.py

trains a small network on shapes100_tiny. HorizontalFlip and Shift are layers of the model. CutMix also changes the
labels, so it is applied to batches of the tf.data pipeline.
"""

import keras
import tensorflow as tf

from pipeline import prepare
from pipeline.augment.composition import apply_all, draw_all, mix_labels
from pipeline.augment.geometric import HorizontalFlip
from pipeline.augment.layer import Views
from pipeline.augment.mixing import CutMix
from pipeline.augment.windows import Shift
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig, default_data_dir

NUM_CLASSES = 100
MIXING = (CutMix(probability=0.5),)  # a MixUp() beside it would be applied after it


def read(opened: OpenedData, split: str) -> tf.data.Dataset:
    """The examples of a split one by one: uint8 [32, 32, 3] `image`, int32 [] `fine` and `coarse`."""
    size = tf.data.experimental.assert_cardinality(opened.num_examples[split])  # Keras warns without a known size
    return opened.examples(split).unbatch().apply(size)


def cutmix(step: tf.Tensor, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Images and one-hot labels of a batch, both mixed by the same draws, which follow from the seed and the step."""
    drawn = draw_all(MIXING, seed=0, step=step, views=Views.of(tf.shape(batch["image"])[0]))
    images = apply_all(batch["image"], MIXING, drawn)  # uint8 in, float32 from 0 to 255 out
    return images, mix_labels(tf.one_hot(batch["fine"], NUM_CLASSES), MIXING, drawn, height=32, width=32)


def build_model() -> keras.Model:
    """A small convolutional network whose first layers augment: in `fit` only, not in `evaluate` and `predict`."""
    layers = [keras.Input((32, 32, 3)), HorizontalFlip(), Shift(max_pixels=2)]
    layers.append(keras.layers.Rescaling(1 / 255))  # behind the augmentation, which expects pixels from 0 to 255
    for filters in (32, 64, 128):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)]
        layers += [keras.layers.BatchNormalization(momentum=0.9), keras.layers.ReLU(), keras.layers.MaxPooling2D()]
    return keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(NUM_CLASSES)])


def main(data_dir: str = default_data_dir(), epochs: int = 8, batch_size: int = 100) -> keras.callbacks.History:
    """Read the images, and train."""
    data = DataConfig(dataset="shapes100_tiny", data_dir=data_dir)
    prepare.prepare(data)  # does nothing where the data set is prepared
    opened = OpenedData(data)  # a tf.data.Dataset of your own would do as well
    num_train = opened.num_examples["train"]

    train = read(opened, "train").cache().shuffle(num_train, seed=0).repeat()
    # `enumerate` counts the batches of all epochs, since `repeat` comes first: no two steps draw alike.
    train = train.batch(batch_size).enumerate().map(cutmix, tf.data.AUTOTUNE).prefetch(2)
    validation = read(opened, "validation").batch(batch_size)
    validation = validation.map(lambda batch: (batch["image"], tf.one_hot(batch["fine"], NUM_CLASSES)))

    model = build_model()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)  # takes the fractions of mixed labels
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss=loss, metrics=["accuracy"])
    steps = num_train // batch_size
    # `shuffle=False`: the pipeline shuffles already, which Keras cannot see.
    return model.fit(train, steps_per_epoch=steps, epochs=epochs, validation_data=validation, shuffle=False, verbose=2)


if __name__ == "__main__":
    main()
