"""One instance or more of every transform, and how tests put them to work."""

import hashlib

import numpy as np
import tensorflow as tf

from pipeline.augment import sets
from pipeline.augment.affine import Fused
from pipeline.augment.color import ChannelShift
from pipeline.augment.composition import apply_all, compiled, draw_all
from pipeline.augment.erasing import Cutout, RandomErasing
from pipeline.augment.geometric import AlternatingFlip, HorizontalFlip, Rotation, Shear, Translation, VerticalFlip, Zoom
from pipeline.augment.layer import Views
from pipeline.augment.mixing import CutMix, MixUp, MixUpOrCutMix
from pipeline.augment.windows import Crop, Shift

LAYERS = (
    HorizontalFlip(),
    VerticalFlip(fill="reflect"),
    AlternatingFlip(),
    Shift(3),
    Crop(32, padding=3),
    Rotation(40.0),
    Rotation(40.0, fill="constant", fill_value=9.0),
    Shear(20.0, fill="reflect"),
    Zoom(0.3),
    Translation(0.2),
    Fused((Rotation(90.0), Shear(5.0), Fused((Zoom(0.1), HorizontalFlip())))),
    ChannelShift(0.3),
    Cutout(6, fill_value=1.0),
    RandomErasing(0.75, fill_value=2.0),
    MixUp(0.3),
    CutMix(0.8, probability=0.9),
    MixUpOrCutMix(0.3, 0.9),
)


def views(num_images: int, pass_number: int = 0, first: int = 0) -> Views:
    """Views of the examples from `first` on, all seen `pass_number` times before."""
    index = tf.range(first, first + num_images, dtype=tf.int64)
    return Views(index, tf.fill([num_images], tf.constant(pass_number, tf.int64)))


def draw(layer, num_images: int, seed=(1, 2)):
    """What a layer draws, as NumPy."""
    return tf.nest.map_structure(lambda of: of.numpy(), layer.draw(tf.constant(seed), views(num_images)))


def remade(layer):
    """Another like it, made under the precision policy of now; its repr is how one would write it."""
    return eval(repr(layer), globals())


def augment(images, transforms, seed: int, step: int) -> np.ndarray:
    """A batch at one step of a run."""
    drawn = draw_all(transforms, seed, tf.constant(step, tf.int64), views(len(images)))
    return apply_all(images, transforms, drawn).numpy()


def digest(name: str) -> str:
    """Of the pixels that a set makes, at two steps of two runs."""
    images = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype(np.uint8)
    transforms = sets.build(name, 32)
    program, result = compiled(transforms), hashlib.sha256()
    for seed, step in ((0, 0), (0, 7), (3, 7)):
        drawn = draw_all(transforms, seed, tf.constant(step, tf.int64), views(len(images), pass_number=step))
        result.update(program(images, drawn).numpy().tobytes())
    return result.hexdigest()
