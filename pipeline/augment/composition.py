"""A tuple of transforms: drawn for a step, applied to images and labels.

    transforms = fused((Rotation(90), Zoom(0.2), HorizontalFlip(), MixUp(0.2)))
    drawn = draw_all(transforms, seed, step, views)
    images = apply_all(images, transforms, drawn)             # uint8 or float32 0..255 -> float32 0..255
    targets = mix_labels(targets, transforms, drawn, 32, 32)  # one-hot rows, mixed as the images were

Draws stay outside of XLA. Applying them may be compiled, which is faster on CPUs and GPUs: a transform becomes one or
two loops over the pixels instead of a dozen.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from pipeline.augment.affine import Fused, fills_alike
from pipeline.augment.geometric import HorizontalFlip, VerticalFlip
from pipeline.augment.layer import Augmentation, Views, per_image
from pipeline.augment.mixing import Mixing
from pipeline.augment.resize import resize
from pipeline.common import seeds

Drawn = tuple[Any, ...]
Program = Callable[..., tf.Tensor]


def fused(transforms: Sequence[Augmentation]) -> tuple[Augmentation, ...]:
    """The transforms, adjacent affine ones with the same fill fused into one; flips among themselves stay exact.

    Raises:
      ValueError: one of them is no `Augmentation`.
    """
    for transform in transforms:
        if not isinstance(transform, Augmentation):
            raise ValueError(f"transforms: expected layers of pipeline.augment, got {transform!r}")
    runs: list[list[Augmentation]] = []
    for transform in transforms:
        if runs and fills_alike([*runs[-1], transform]):
            runs[-1].append(transform)
        else:
            runs.append([transform])
    parts: list[Augmentation] = []
    for run in runs:
        is_exact = len(run) == 1 or all(isinstance(part, (HorizontalFlip, VerticalFlip)) for part in run)
        parts += run if is_exact else [Fused(run)]
    return tuple(parts)


def draw_all(transforms: Sequence[Augmentation], seed: int, step: tf.Tensor, views: Views) -> Drawn:
    """The draws of a batch at a step (int64 []) of the run with this seed, one entry for each transform.

    Never compile this with XLA, whose stateless generator gives other numbers than TensorFlow's. `apply_all` may be
    compiled. Where replicas divide the batch, each draws for all of it, and takes its part by `layer.of_replica`.
    """

    def drawn(place: int, transform: Augmentation) -> Any:
        named = tf.constant(seeds.derive(seed, "augment", place, type(transform).__name__))
        if transform.new_every_step:
            named = seeds.fold(named, step)
        return transform.draw(named, views)

    return tuple(drawn(place, transform) for place, transform in enumerate(transforms))


def apply_all(
    images: tf.Tensor, transforms: Sequence[Augmentation], drawn: Drawn, original: tf.Tensor | None = None
) -> tf.Tensor:
    """uint8 or float32 [B, H, W, C] images, 0 to 255 -> float32, changed by each transform in order.

    Images whose `original` (bool [B]) is True stay as they are evaluated.
    """
    return _applied([transform.apply for transform in transforms], _keep_originals(transforms), images, drawn, original)


def unaugmented(images: tf.Tensor, transforms: Sequence[Augmentation]) -> tf.Tensor:
    """[B, H, W, C] images of the size that `apply_all` gives them, otherwise as they are."""
    for transform in transforms:
        images = transform.unaugmented(images)
    return images


def compiled(transforms: Sequence[Augmentation], allow_xla: bool = True) -> Program:
    """A function equal to `apply_all`; XLA compiles each transform as a program of its own, if it can and `allow_xla`.

    One program for all of them would move a pixel again for each of its uses. The function takes
    `(images, drawn, original=None, size=None)`; with a `size` it finally resizes to `size` x `size` pixels, and each
    size is a trace.
    """

    def program(function: Program, xla: bool = True) -> Program:
        return tf.function(function, jit_compile=(allow_xla and xla) or None, autograph=False)

    programs = [program(transform.apply, transform.xla) for transform in transforms]
    keep_originals, shrink = program(_keep_originals(transforms)), program(resize)

    def augment(
        images: tf.Tensor, drawn: Drawn, original: tf.Tensor | None = None, size: int | None = None
    ) -> tf.Tensor:
        augmented = _applied(programs, keep_originals, images, drawn, original)
        return augmented if size in (None, augmented.shape[1]) else shrink(augmented, size)

    return tf.function(augment, autograph=False)


def mixes_labels(transforms: Sequence[Augmentation]) -> bool:
    """Whether a transform mixes images, so that labels must be mixed too."""
    return any(isinstance(transform, Mixing) for transform in transforms)


def mix_labels(
    targets: tf.Tensor,
    transforms: Sequence[Augmentation],
    drawn: Drawn,
    height: int,
    width: int,
    original: tf.Tensor | None = None,
) -> tf.Tensor:
    """float32 [B, classes] targets, rows that sum to 1, mixed as `apply_all` mixed images of that size."""
    mixed = targets
    for transform, of_transform in zip(transforms, drawn, strict=True):
        if isinstance(transform, Mixing):
            mixed = transform.mix_labels(mixed, of_transform, height, width)
    return mixed if original is None else tf.where(original[:, None], targets, mixed)


def _applied(
    programs: Sequence[Program], keep: Program, images: tf.Tensor, drawn: Drawn, original: tf.Tensor | None
) -> tf.Tensor:
    images = tf.cast(images, tf.float32)
    augmented = images
    for program, of_transform in zip(programs, drawn, strict=True):
        augmented = program(augmented, of_transform)
    return augmented if original is None else keep(images, augmented, original)


def _keep_originals(transforms: Sequence[Augmentation]) -> Program:
    """A function that replaces augmented images by unaugmented ones where `original` (bool [B]) is True."""

    def kept(images: tf.Tensor, augmented: tf.Tensor, original: tf.Tensor) -> tf.Tensor:
        return tf.where(per_image(original), unaugmented(images, transforms), augmented)

    return kept
