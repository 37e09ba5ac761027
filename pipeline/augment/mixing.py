"""Blend each image with a partner from its batch, and their labels by the same weight: what mixup and cutmix share."""

from typing import Any, NamedTuple

import tensorflow as tf

from pipeline.augment.layer import Augmentation, Views, gamma, uniform
from pipeline.common import seeds


class Blend(NamedTuple):
    """What chance decides for a blend.

    Attributes:
      partner: int32 [B], the image that each one is blended with.
      share: float32 [B], how much of the image itself stays, 0 to 1.
      centre: float32 [B, 2], of the partner's box (rows, columns), 0 to 1; a blend of whole images leaves it unused.
      is_box: bool [B], whether the partner comes as a box; otherwise as a veil over the whole image.
    """

    partner: tf.Tensor
    share: tf.Tensor
    centre: tf.Tensor
    is_box: tf.Tensor


class Mixing(Augmentation):
    """Base of the transforms that blend images, and so must blend labels too.

    As a layer of a model it blends the images and cannot know their labels, which is wrong for training; call
    `composition.apply_all` and `mix_labels` from a training step instead.
    """

    def apply(self, images: tf.Tensor, drawn: Blend) -> tf.Tensor:
        """Each pixel: what its own image's share leaves of it, and the partner's for the rest."""
        own = _own_share(drawn, *images.shape[1:3])[..., None]
        return own * images + (1.0 - own) * tf.gather(images, drawn.partner)

    def mix_labels(self, targets: tf.Tensor, drawn: Blend, height: int, width: int) -> tf.Tensor:
        """float32 [B, classes] -> the same, blended by the share of the pixels that each image really kept."""
        pixels_kept = tf.reduce_mean(_own_share(drawn, height, width), axis=[1, 2])
        own = tf.where(drawn.is_box, pixels_kept, drawn.share)[:, None]
        return own * targets + (1.0 - own) * tf.gather(targets, drawn.partner)

    def describe(self, drawn: Any) -> str:
        """Such as "70 % kept, box" or "70 % kept"."""
        return f"{drawn.share:.0%} kept" + (", box" if drawn.is_box else "")


def draw_blend(
    seed: tf.Tensor, views: Views, veil_alpha: float, box_alpha: float, box_probability: float, probability: float
) -> Blend:
    """Draw blends: each image a partner by one random permutation of the batch, and a share from Beta(alpha, alpha).

    Args:
      seed: int32 [2].
      views: of the batch.
      veil_alpha: of the shares of veils.
      box_alpha: of the shares of boxes.
      box_probability: of a box rather than a veil, image by image.
      probability: of a blend at all, image by image.
    """
    of = [seeds.fold(seed, place) for place in range(6)]
    num_images = views.count
    partner = tf.argsort(uniform(of[0], [num_images]))
    is_box = uniform(of[1], [num_images]) < box_probability
    share = tf.where(is_box, _beta(of[2], num_images, box_alpha), _beta(of[3], num_images, veil_alpha))
    blended = uniform(of[4], [num_images]) < probability
    return Blend(partner, tf.where(blended, share, 1.0), uniform(of[5], [num_images, 2]), is_box)


def _beta(seed: tf.Tensor, num_images: tf.Tensor, alpha: float) -> tf.Tensor:
    """float32 [B] from Beta(alpha, alpha), as X / (X + Y) of two gammas."""
    first, second = tf.unstack(gamma(seed, [num_images, 2], alpha), axis=1)
    return tf.math.divide_no_nan(first, first + second)


def _own_share(drawn: Blend, height: int, width: int) -> tf.Tensor:
    """float32 [B, H, W]: how much of each pixel stays the image's own."""
    half = 0.5 * tf.sqrt(1.0 - drawn.share)
    rows = _outside(height, drawn.centre[:, 0], half)[:, :, None]
    columns = _outside(width, drawn.centre[:, 1], half)[:, None, :]
    boxed = tf.cast(rows | columns, tf.float32)
    return tf.where(drawn.is_box[:, None, None], boxed, drawn.share[:, None, None])


def _outside(size: int, centre: tf.Tensor, half: tf.Tensor) -> tf.Tensor:
    """Bool [B, size]: which places along one axis lie outside of the box, which is cut off at the image's border."""
    place = tf.range(size, dtype=tf.float32)[None, :]
    # Whole pixels: both ends are rounded down.
    low = tf.floor((centre - half) * size)[:, None]
    high = tf.floor((centre + half) * size)[:, None]
    return (place < low) | (place >= high)
