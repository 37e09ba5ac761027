"""Originals among the views: the study's "40,000 images + augmented copies" without its array.

With `original_fraction` 1/15, of any 15 successive views of an image one is the image as it is: so many views it has in
an epoch of 600,000 virtual examples of 40,000 images. Which of them it is differs from image to image, so that each
batch holds about its share of originals.
"""

import fractions

import tensorflow as tf

from pipeline.augment.layer import Views
from pipeline.common import seeds


def are_original(views: Views, fraction: fractions.Fraction, seed: int) -> tf.Tensor:
    """Bool [B]: which views are shown as they are.

    Of any d views of an example that follow one another exactly n are originals, spread as evenly as can be, where the
    fraction is n/d (`DataConfig.original_share`).
    """
    return (views.pass_number * fraction.numerator + _begin(views, fraction, seed)) % fraction.denominator < (
        fraction.numerator
    )


def among_augmented(views: Views, fraction: fractions.Fraction, seed: int) -> Views:
    """The views numbered as if there were no originals: what counts an example's views counts its augmented ones."""
    begin = _begin(views, fraction, seed)
    # One for each time that the running sum of numerators has passed a multiple of the denominator.
    last = begin + (views.pass_number - 1) * fraction.numerator
    num_originals = last // fraction.denominator - (begin - fraction.numerator) // fraction.denominator
    return views._replace(pass_number=views.pass_number - num_originals)


def _begin(views: Views, fraction: fractions.Fraction, seed: int) -> tf.Tensor:
    """int64 [B], 0 to d - 1: where in the rhythm of n in d each example begins."""
    return seeds.hashed(seeds.derive(seed, "original"), views.index) % fraction.denominator
