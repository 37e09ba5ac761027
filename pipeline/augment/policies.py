"""Operations drawn for each image: TrivialAugment, RandAugment and AugMix."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from pipeline.augment import arguments, choice
from pipeline.augment.choice import ENHANCEMENTS, NUM_LEVELS, Choice, Operation, draw_choice, magnitudes
from pipeline.augment.layer import PACKAGE, Augmentation, Views, gamma, integers, per_image
from pipeline.common import seeds

NUM_AUGMIX_LEVELS = 10
SMALLEST = 1e-37  # a positive float32 that changes no draw above 0
# The operations that are not among the corruptions of CIFAR-C, on which the authors of AugMix measure.
OPERATIONS = tuple(operation for operation in Operation if operation not in (Operation.IDENTITY, *ENHANCEMENTS))


@keras.saving.register_keras_serializable(PACKAGE)
class TrivialAugmentWide(Augmentation):
    """Applies one of fourteen operations at one of 31 strengths (Müller & Hutter 2021, arXiv 2103.10158, wide).

    Both are uniform, and nothing is tuned: shears to 0.99, translations to 32 pixels, rotations to 135 degrees,
    brightness, color, contrast and sharpness times 0.01 to 1.99, posterized to 8 to 2 bits, solarized from 255 to 0.
    As in torchvision, but interpolated bilinearly, and not rounded. Pixels outside of the image have the `fill_value`,
    0 to 255; the authors' and torchvision's is 0.
    """

    rgb = True

    def __init__(self, fill_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fill_value = arguments.number("fill_value", fill_value, 0, 255)

    def draw(self, seed: tf.Tensor, views: Views) -> Choice:
        """[B]: the operation of each image."""
        table = magnitudes(shear=0.99, pixels=32.0, degrees=135.0, enhancement=0.99, bits=(8, 2), num_levels=NUM_LEVELS)
        return draw_choice(seed, [views.count], table, range(NUM_LEVELS))

    def apply(self, images: tf.Tensor, drawn: Choice) -> tf.Tensor:
        """Apply each image's operation."""
        return choice.apply_operation(images, drawn, self.fill_value)

    def describe(self, drawn: Any) -> str:
        """The operation as text, such as "Rotate +87°"."""
        return choice.describe(drawn.operation, drawn.magnitude)


@keras.saving.register_keras_serializable(PACKAGE)
class RandAugment(Augmentation):
    """Applies `num_operations` of fourteen operations, drawn for each image (Cubuk et al. 2019, arXiv 1909.13719).

    At full magnitude: shear 0.3, translation by 0.45 of the size, rotation by 30 degrees, brightness, color, contrast
    and sharpness times 0.1 or 1.9, posterized to 4 bits, solarized from 0. As in torchvision, but interpolated
    bilinearly, and not rounded.

    Args:
      num_operations: operations an image, drawn with replacement.
      magnitude: the strength of all operations, 0 to 30.
      size: pixels of an image's side, which scale translations.
      fill_value: 0 to 255, value of pixels outside of the image; torchvision's is 0, the authors' 128.
    """

    lengths = ("size",)
    rgb = True

    def __init__(
        self, num_operations: int = 2, magnitude: int = 9, size: int = 32, fill_value: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_operations = arguments.whole("num_operations", num_operations, 1)
        self.magnitude = arguments.whole("magnitude", magnitude, 0, NUM_LEVELS - 1)
        self.size = arguments.whole("size", size, 1)
        self.fill_value = arguments.number("fill_value", fill_value, 0, 255)

    def draw(self, seed: tf.Tensor, views: Views) -> Choice:
        """[B, num_operations]: the operations for each image."""
        pixels = 150 / 331 * self.size
        table = magnitudes(shear=0.3, pixels=pixels, degrees=30.0, enhancement=0.9, bits=(8, 4), num_levels=NUM_LEVELS)
        shape = [views.count, self.num_operations]
        return draw_choice(seed, shape, table, range(self.magnitude, self.magnitude + 1))

    def apply(self, images: tf.Tensor, drawn: Choice) -> tf.Tensor:
        """Apply each image's operations in order."""
        _check_size(images, self.size)
        for place in range(self.num_operations):
            of_place = Choice(drawn.operation[:, place], drawn.magnitude[:, place])
            images = choice.apply_operation(images, of_place, self.fill_value)
        return images

    def describe(self, drawn: Any) -> str:
        """The operations as text, such as "ShearX +0.09, Equalize"."""
        return ", ".join(map(choice.describe, drawn.operation, drawn.magnitude))


class Chains(NamedTuple):
    """The draws of a batch for AugMix.

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

    lengths = ("size",)
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
        super().__init__(**kwargs)
        self.severity = arguments.whole("severity", severity, 1, NUM_AUGMIX_LEVELS)
        self.width, self.depth = arguments.whole("width", width, 1), arguments.whole("depth", depth, 1)
        self.alpha = arguments.number("alpha", alpha, 0, above=True)
        self.size = arguments.whole("size", size, 1)
        self.fill_value = arguments.number("fill_value", fill_value, 0, 255)

    def draw(self, seed: tf.Tensor, views: Views) -> Chains:
        """[B]: the chains and weights of each image."""
        of = [seeds.fold(seed, place) for place in range(4)]
        num_images, levels, pixels = views.count, NUM_AUGMIX_LEVELS, self.size / 3
        table = magnitudes(shear=0.3, pixels=pixels, degrees=30.0, enhancement=0.0, bits=(4, 0), num_levels=levels)
        shape = [num_images, self.width, self.depth]
        operation, magnitude = draw_choice(of[0], shape, table, range(self.severity), OPERATIONS)
        depth = integers(of[1], [num_images, self.width, 1], 1, self.depth + 1)
        operation = tf.where(tf.range(self.depth) < depth, operation, Operation.IDENTITY)
        own, rest = tf.unstack(_dirichlet(of[2], num_images, 2, self.alpha), axis=1)
        share = rest[:, None] * _dirichlet(of[3], num_images, self.width, self.alpha)
        return Chains(Choice(operation, magnitude), share, own)

    def apply(self, images: tf.Tensor, drawn: Chains) -> tf.Tensor:
        """Mix each image with its chains."""
        _check_size(images, self.size)
        operation, magnitude = (tf.concat(tf.unstack(values, axis=1), axis=0) for values in drawn.choice)
        chains = tf.tile(images, [self.width, 1, 1, 1])  # [width * B, H, W, C], as the choices now are
        for place in range(self.depth):
            of_place = Choice(operation[:, place], magnitude[:, place])
            # As `apply_operation` without the enhancements, which no chain has.
            chains = choice.equalize(choice.move(chains, of_place, self.fill_value), of_place)
            chains = choice.change_values(chains, of_place)
        mixed = per_image(drawn.own_share) * images
        for place, chain in enumerate(tf.split(chains, self.width)):
            mixed += per_image(drawn.share[:, place]) * chain
        return mixed

    def describe(self, drawn: Any) -> str:
        """The mixture as text, such as "40 % kept, 35 % Rotate +7°, 25 % ShearX -0.03 Equalize"."""
        parts = [f"{drawn.own_share:.0%} kept"]
        for place, share in enumerate(drawn.share):
            pairs = zip(drawn.choice.operation[place], drawn.choice.magnitude[place], strict=True)
            chain = (choice.describe(*pair) for pair in pairs if pair[0] != Operation.IDENTITY)
            parts.append(" ".join([f"{share:.0%}", *chain]))
        return ", ".join(parts)


def _dirichlet(seed: tf.Tensor, num_images: tf.Tensor, count: int, alpha: float) -> tf.Tensor:
    """float32 [B, count] from Dirichlet(alpha, ...), as gammas divided by their sum."""
    gammas = gamma(seed, [num_images, count], alpha) + SMALLEST  # small alphas make draws of 0
    return gammas / tf.reduce_sum(gammas, axis=1, keepdims=True)


def _check_size(images: tf.Tensor, size: int) -> None:
    """Raise ValueError where images have another size than translations were drawn for."""
    height, width = images.shape[1:3]
    if (height, width) != (size, size):
        raise ValueError(f"size={size}: got images of {height} x {width} pixels; expected images of that size")
