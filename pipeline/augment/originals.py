"""Originals among the views: the study's "40,000 images + augmented copies" without its array.

With `original_fraction` 1/15 and 600,000 virtual examples of 40,000 images, every epoch shows each image once as it is
and fourteen times augmented; which of its views is the original differs from image to image, so that each batch holds
about its share of them.
"""

import fractions

import tensorflow as tf

from pipeline import seeds
from pipeline.augment.layer import Views

LARGEST_DENOMINATOR = 10_000


def exact(original_fraction: float) -> fractions.Fraction:
    """The fraction that was meant: 0.0666667 is 1/15."""
    return fractions.Fraction(str(original_fraction)).limit_denominator(LARGEST_DENOMINATOR)


def are_original(views: Views, original_fraction: float, seed: int) -> tf.Tensor:
    """Bool [B]: which views are shown as they are.

    Of any d views of an example that follow one another exactly n are originals, spread as evenly as can be, where n/d
    is `exact(original_fraction)`.
    """
    fraction = exact(original_fraction)
    first = seeds.hashed(seeds.derive(seed, "original"), views.index) % fraction.denominator
    return (views.pass_number * fraction.numerator + first) % fraction.denominator < fraction.numerator
