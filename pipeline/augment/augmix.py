"""Each image mixed with several augmented versions of itself: AugMix."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from pipeline.augment.choice import (
    Choice,
    Operation,
    change_values,
    check_size,
    describe,
    draw_choice,
    equalize,
    magnitudes,
    move,
)
from pipeline.augment.layer import PACKAGE, Augmentation, Views, gamma, integers, per_image
from pipeline.common import seeds

NUM_AUGMIX_LEVELS = 10
# The operations that are not among the corruptions of CIFAR-C, on which the authors measure.
OPERATIONS = (
    Operation.SHEAR_X,
    Operation.SHEAR_Y,
    Operation.TRANSLATE_X,
    Operation.TRANSLATE_Y,
    Operation.ROTATE,
    Operation.POSTERIZE,
    Operation.SOLARIZE,
    Operation.AUTO_CONTRAST,
    Operation.EQUALIZE,
)


class Chains(NamedTuple):
    """The draws of a batch.

    Attributes:
      choice: [B, width, depth], the operations of each chain in order; identity beyond a chain's depth.
      share: float32 [B, width], the weight of each chain in the mixture.
      own_share: float32 [B], the weight of the image itself; with `share` it sums to 1.
    """

    choice: Choice
    share: tf.Tensor
    own_share: tf.Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class AugMix(Augmentation):
    """Mixes an image with chains of operations on it by random weights (Hendrycks et al. 2020, arXiv 1912.02781).

    The authors' consistency loss is not part of it. As in torchvision without `all_ops`, but interpolated bilinearly,
    and not rounded.

    Args:
      severity: 1 to 10; strengths are drawn from the lowest `severity` of ten levels.
      width: chains for each image.
      depth: operations in the longest chain; the length of a chain is uniform from 1 to `depth`.
      alpha: parameter of the distributions of weights: Dirichlet among the chains, Beta between them and the image.
      size: pixels of an image's side, which scale translations.
      fill_value: 0 to 255, value of pixels outside of the image.
    """

    rgb = True

    def __init__(
        self,
        severity: int = 3,
        width: int = 3,
        depth: int = 3,
        alpha: float = 1.0,
        size: int = 32,
        fill_value: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if severity not in range(1, NUM_AUGMIX_LEVELS + 1):
            raise ValueError(f"severity={severity!r}: expected a whole number from 1 to {NUM_AUGMIX_LEVELS}")
        super().__init__(**kwargs)
        self.severity, self.width, self.depth = severity, width, depth
        self.alpha, self.size, self.fill_value = alpha, size, fill_value

    def draw(self, seed: tf.Tensor, views: Views) -> Chains:
        """[B]: the chains and weights of each image."""
        of = [seeds.fold(seed, place) for place in range(4)]
        num_images = views.count
        table = magnitudes(
            shear=0.3, pixels=self.size / 3, degrees=30.0, enhancement=0.0, bits=(4, 0), num_levels=NUM_AUGMIX_LEVELS
        )
        shape = [num_images, self.width, self.depth]
        choice = draw_choice(of[0], shape, table, range(self.severity), OPERATIONS)
        depth = integers(of[1], [num_images, self.width, 1], 1, self.depth + 1)
        operation = tf.where(tf.range(self.depth) < depth, choice.operation, Operation.IDENTITY)
        own, rest = tf.unstack(_dirichlet(of[2], num_images, 2, self.alpha), axis=1)
        share = rest[:, None] * _dirichlet(of[3], num_images, self.width, self.alpha)
        return Chains(Choice(operation, choice.magnitude), share, own)

    def apply(self, images: tf.Tensor, drawn: Chains) -> tf.Tensor:
        """Mix each image with its chains."""
        check_size(images, self.size)
        operation, magnitude = (tf.concat(tf.unstack(values, axis=1), axis=0) for values in drawn.choice)
        chains = tf.tile(images, [self.width, 1, 1, 1])  # [width * B, H, W, C], as the choices now are
        for place in range(self.depth):
            choice = Choice(operation[:, place], magnitude[:, place])
            # As `apply_operation` without the enhancements, which no chain has.
            chains = change_values(equalize(move(chains, choice, self.fill_value), choice), choice)
        mixed = per_image(drawn.own_share) * images
        for place, chain in enumerate(tf.split(chains, self.width)):
            mixed += per_image(drawn.share[:, place]) * chain
        return mixed

    def describe(self, drawn: Any) -> str:
        """The mixture as text, such as "40 % kept, 35 % Rotate +7°, 25 % ShearX -0.03 Equalize"."""
        parts = [f"{drawn.own_share:.0%} kept"]
        for place, share in enumerate(drawn.share):
            pairs = zip(drawn.choice.operation[place], drawn.choice.magnitude[place], strict=True)
            chain = (describe(*pair) for pair in pairs if pair[0] != Operation.IDENTITY)
            parts.append(" ".join([f"{share:.0%}", *chain]))
        return ", ".join(parts)


def _dirichlet(seed: tf.Tensor, num_images: tf.Tensor, count: int, alpha: float) -> tf.Tensor:
    """float32 [B, count] from Dirichlet(alpha, ...), as gammas divided by their sum."""
    gammas = gamma(seed, [num_images, count], alpha)
    return gammas / tf.reduce_sum(gammas, axis=1, keepdims=True)
