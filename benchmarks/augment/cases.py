"""What `benchmarks.augment` measures: our transforms and sets, and their peers on the same batch."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from benchmarks.augment import keras_peers, torchvision_peer
from benchmarks.augment.choice import TRANSFORMS
from benchmarks.harness.labels import Labels
from pipeline import augment
from pipeline.augment import composition, sets
from pipeline.augment.layer import Augmentation, Views
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig

PEER = "peer/{peer}/{transforms}"


class Batch(NamedTuple):
    """The batch that every case augments."""

    images: tf.Tensor  # uint8 [B, S, S, 3]
    targets: tf.Tensor  # float32 [B, classes of all levels], the labels one-hot, for transforms that mix labels

    @classmethod
    def first(cls, data: DataConfig) -> "Batch":
        """The first batch of a prepared data set, of the size that the network takes, on the device."""
        opened = OpenedData(data.replace(augmentation="none"))
        batch = next(iter(opened.train(seed=0)))
        one_hot = [tf.one_hot(batch[level], count) for level, count in opened.description.classes.counts.items()]
        return cls(batch["image"], tf.concat(one_hot, axis=1))


class Work(NamedTuple):
    """One way to augment: the labels of its row, and a function from a number of batches to the images of the last."""

    labels: Labels
    run: Callable[[int], Any]
    fields: Mapping[str, Any] = {}  # further ones of its row
    min_batches: int = 1  # in a round, so that every worker process has work


def transforms(what: str, image_size: int) -> tuple[Augmentation, ...]:
    """The transforms of a set for images of this size, or the one of that class name."""
    return (getattr(augment, what)(),) if what in TRANSFORMS else sets.build(what, image_size)


def ours(what: str, batch: Batch) -> Work:
    """Our transforms as the training step runs them: drawn in TensorFlow's graph, applied by XLA."""
    height, width = batch.images.shape[1:3]
    parts = transforms(what, width)
    apply, mixes = composition.compiled(parts), composition.mixes_labels(parts)
    numbers = itertools.count()

    @tf.function
    def step(images: tf.Tensor, targets: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        index = tf.range(tf.shape(images, tf.int64)[0])
        drawn = composition.draw_all(parts, 0, number, Views(index, tf.zeros_like(index) + number))
        if mixes:
            targets = composition.mix_labels(targets, parts, drawn, height, width)
        return apply(images, drawn), targets

    def run(num_batches: int) -> tf.Tensor:
        for _ in range(num_batches):
            images, _ = step(*batch, tf.constant(next(numbers), tf.int64))
        return images

    return Work(_labels("ours/{transforms}", what, batch), run)


def peers(what: str, batch: Batch) -> list[Work]:
    """The peers of a set or transform, each in the fastest form that we know of."""
    works = []
    peer = keras_peers.keras_peer(what)
    if peer:
        stacked = keras_peers.Stacked(peer.layers)

        def run(num_batches: int) -> tf.Tensor:
            for _ in range(num_batches):
                images, _ = stacked(*batch)
            return images

        fields = {"work": "equal" if peer.is_equal else "nearest", "xla": stacked.xla}
        works.append(Work(_labels(PEER, what, batch, peer="keras_layers"), run, fields))
    if what == "original":
        pixels = batch.images.numpy()
        generator = keras_peers.Generator(pixels)
        works.append(Work(_labels(PEER, what, batch, peer="ImageDataGenerator"), generator, {"work": "equal"}))
        for name, loader in torchvision_peer.load(pixels).items():
            works.append(Work(_labels(PEER, what, batch, peer=name), loader, {"work": "nearest"}, loader.min_batches))
    return works


def _labels(template: str, what: str, batch: Batch, **fields: Any) -> Labels:
    return Labels.of(template, "augmentation", transforms=what, batch_size=len(batch.images), **fields)
