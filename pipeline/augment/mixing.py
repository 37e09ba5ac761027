"""mixup and CutMix: each image is blended with a partner of its batch, and their labels likewise."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from pipeline.augment import arguments
from pipeline.augment.layer import PACKAGE, Augmentation, Views, gamma, uniform
from pipeline.common import seeds


class Blend(NamedTuple):
    """The draws of a blend.

    Attributes:
      partner: int32 [B], the place in the batch of each image's partner.
      share: float32 [B], the weight of the image itself, 0 to 1.
      centre: float32 [B, 2], center of the partner's box (row, column), 0 to 1; unused without a box.
      is_box: bool [B], whether a box of the partner is pasted (CutMix); else whole images are blended (mixup).
    """

    partner: tf.Tensor
    share: tf.Tensor
    centre: tf.Tensor
    is_box: tf.Tensor


class Mixing(Augmentation):
    """Base of the transforms that blend images, whose labels must be blended too.

    A layer gets no labels, so in training it raises ValueError; call `composition.apply_all` and `mix_labels` from a
    training step instead.
    """

    def augmented(self, images: tf.Tensor) -> tf.Tensor:
        """Raise ValueError: the labels would not be blended."""
        raise ValueError(
            f"{self!r}: a layer would blend the images and not their labels; leave it out of the model, and call "
            "composition.apply_all and composition.mix_labels from a training step"
        )

    def apply(self, images: tf.Tensor, drawn: Blend) -> tf.Tensor:
        """Blend each pixel of an image with that of its partner."""
        own = _own_share(drawn, *images.shape[1:3])[..., None]
        return own * images + (1.0 - own) * tf.gather(images, drawn.partner)

    def mix_labels(self, targets: tf.Tensor, drawn: Blend, height: int, width: int) -> tf.Tensor:
        """float32 [B, classes] targets, blended by the share of the pixels that each image kept."""
        pixels_kept = tf.reduce_mean(_own_share(drawn, height, width), axis=[1, 2])
        own = tf.where(drawn.is_box, pixels_kept, drawn.share)[:, None]
        return own * targets + (1.0 - own) * tf.gather(targets, drawn.partner)

    def describe(self, drawn: Any) -> str:
        """The kept share as text, such as "70 % kept, box" or "70 % kept"."""
        return f"{drawn.share:.0%} kept" + (", box" if drawn.is_box else "")


@keras.saving.register_keras_serializable(PACKAGE)
class MixUp(Mixing):
    """Blends each image with another one of the batch; the weight of each pair is from Beta(alpha, alpha).

    Zhang et al. 2018, arXiv 1710.09412.
    """

    def __init__(self, alpha: float = 0.2, probability: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = arguments.number("alpha", alpha, 0, above=True)
        self.probability = arguments.number("probability", probability, 0, 1)

    def draw(self, seed: tf.Tensor, views: Views) -> Blend:
        """Partners and shares."""
        return _draw_blend(seed, views, self.alpha, self.alpha, 0.0, self.probability)


@keras.saving.register_keras_serializable(PACKAGE)
class CutMix(Mixing):
    """Replaces a box of each image by that box of another one; the box's share of the area is from Beta(alpha, alpha).

    Yun et al. 2019, arXiv 1905.04899.
    """

    def __init__(self, alpha: float = 1.0, probability: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = arguments.number("alpha", alpha, 0, above=True)
        self.probability = arguments.number("probability", probability, 0, 1)

    def draw(self, seed: tf.Tensor, views: Views) -> Blend:
        """Partners, shares and boxes."""
        return _draw_blend(seed, views, self.alpha, self.alpha, 1.0, self.probability)


@keras.saving.register_keras_serializable(PACKAGE)
class MixUpOrCutMix(Mixing):
    """Either mixup or CutMix, drawn for each image (timm and torchvision draw it for each batch)."""

    def __init__(
        self, mixup_alpha: float = 0.2, cutmix_alpha: float = 1.0, probability: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.mixup_alpha = arguments.number("mixup_alpha", mixup_alpha, 0, above=True)
        self.cutmix_alpha = arguments.number("cutmix_alpha", cutmix_alpha, 0, above=True)
        self.probability = arguments.number("probability", probability, 0, 1)

    def draw(self, seed: tf.Tensor, views: Views) -> Blend:
        """Partners, shares and boxes."""
        return _draw_blend(seed, views, self.mixup_alpha, self.cutmix_alpha, 0.5, self.probability)


def _draw_blend(
    seed: tf.Tensor, views: Views, whole_alpha: float, box_alpha: float, box_probability: float, probability: float
) -> Blend:
    """Partners by one random permutation of the batch; the alphas are of whole images' and of boxes' shares."""
    of = [seeds.fold(seed, place) for place in range(6)]
    num_images = views.count
    partner = tf.argsort(uniform(of[0], [num_images]))
    is_box = uniform(of[1], [num_images]) < box_probability
    share = tf.where(is_box, _beta(of[2], num_images, box_alpha), _beta(of[3], num_images, whole_alpha))
    blended = uniform(of[4], [num_images]) < probability
    return Blend(partner, tf.where(blended, share, 1.0), uniform(of[5], [num_images, 2]), is_box)


def _beta(seed: tf.Tensor, num_images: tf.Tensor, alpha: float) -> tf.Tensor:
    """float32 [B] from Beta(alpha, alpha), as X / (X + Y) of two gammas."""
    first, second = tf.unstack(gamma(seed, [num_images, 2], alpha), axis=1)
    return tf.math.divide_no_nan(first, first + second)


def _own_share(drawn: Blend, height: int, width: int) -> tf.Tensor:
    """float32 [B, H, W]: the weight of each pixel of the image itself."""
    half = 0.5 * tf.sqrt(1.0 - drawn.share)
    rows = _outside(height, drawn.centre[:, 0], half)[:, :, None]
    columns = _outside(width, drawn.centre[:, 1], half)[:, None, :]
    boxed = tf.cast(rows | columns, tf.float32)
    return tf.where(drawn.is_box[:, None, None], boxed, drawn.share[:, None, None])


def _outside(size: int, centre: tf.Tensor, half: tf.Tensor) -> tf.Tensor:
    """Bool [B, size]: which places along one axis lie outside of the box, which the image's border may clip."""
    place = tf.range(size, dtype=tf.float32)[None, :]
    # Whole pixels: both ends are rounded down.
    low = tf.floor((centre - half) * size)[:, None]
    high = tf.floor((centre + half) * size)[:, None]
    return (place < low) | (place >= high)
