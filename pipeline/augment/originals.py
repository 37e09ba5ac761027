"""Unaugmented views among the augmented ones: the original study's "40,000 images + augmented copies" as a stream.

With a fraction of 1/15, one of any 15 successive views of an example is unaugmented: an epoch of 600,000 virtual
examples has 15 views of each of 40,000 images. Which one differs between examples, so that each batch holds about its
share of originals.
"""

import fractions

import tensorflow as tf

from pipeline.augment.layer import Views
from pipeline.common import seeds


def are_original(views: Views, fraction: fractions.Fraction, seed: int) -> tf.Tensor:
    """Bool [B]: which views are unaugmented.

    With a fraction of n/d (`DataConfig.unaugmented_share`), exactly n of any d successive views of an example, spread
    evenly.
    """
    return (views.pass_number * fraction.numerator + _begin(views, fraction, seed)) % fraction.denominator < (
        fraction.numerator
    )


def among_augmented(views: Views, fraction: fractions.Fraction, seed: int) -> Views:
    """The views with `pass_number` counting augmented views only."""
    begin = _begin(views, fraction, seed)
    # One for each time that the running sum of numerators has passed a multiple of the denominator.
    last = begin + (views.pass_number - 1) * fraction.numerator
    num_originals = last // fraction.denominator - (begin - fraction.numerator) // fraction.denominator
    return views._replace(pass_number=views.pass_number - num_originals)


def _begin(views: Views, fraction: fractions.Fraction, seed: int) -> tf.Tensor:
    """int64 [B], 0 to d - 1: each example's offset in the period of d views."""
    return seeds.hashed(seeds.derive(seed, "original"), views.index) % fraction.denominator
