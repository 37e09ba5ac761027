"""Operations on brightness and color, with a parameter for each image.

All map float32 [B, H, W, 3] images, 0 to 255, to such images. They are Pillow's (`ImageEnhance`, `ImageOps`), without
its rounding after each step. XLA can compile all of them.
"""

import tensorflow as tf

from pipeline.augment.layer import per_image

# Images equalized at once: enough to keep a GPU busy, few enough to waste little on the last iteration.
_EQUALIZED_AT_ONCE = 32


def luma(images: tf.Tensor) -> tf.Tensor:
    """float32 [B, H, W, 1]: the luma of each pixel (ITU-R 601)."""
    return 0.299 * images[..., 0:1] + 0.587 * images[..., 1:2] + 0.114 * images[..., 2:3]


def mean_luma(images: tf.Tensor) -> tf.Tensor:
    """float32 [B, 1, 1, 1]: the mean luma of each image."""
    return tf.reduce_mean(luma(images), axis=[1, 2, 3], keepdims=True)


def smoothed(images: tf.Tensor) -> tf.Tensor:
    """Each pixel averaged with its eight neighbors at a weight of five; the border is unchanged."""
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    sums = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    change = (sums - 9.0 * images[:, 1:-1, 1:-1]) / 13.0
    return images + tf.pad(change, [[0, 0], [1, 1], [1, 1], [0, 0]])


def blend(images: tf.Tensor, degenerate: tf.Tensor | float, factor: tf.Tensor) -> tf.Tensor:
    """Interpolate from `degenerate` (`factor[i]` 0) to image i itself (1), or extrapolate (above 1)."""
    factor = per_image(factor)
    return tf.clip_by_value(factor * images + (1.0 - factor) * degenerate, 0.0, 255.0)


def brightness(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Brightness times `factor`, float32 [B]; 0 is black."""
    return blend(images, 0.0, factor)


def contrast(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Distance from the image's mean gray times `factor`, float32 [B]; 0 is that gray."""
    return blend(images, mean_luma(images), factor)


def color(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Saturation times `factor`, float32 [B]; 0 is a gray picture."""
    return blend(images, luma(images), factor)


def sharpness(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Distance from the smoothed image times `factor`, float32 [B]; 0 is that image."""
    return blend(images, smoothed(images), factor)


def grayscale(images: tf.Tensor) -> tf.Tensor:
    """A gray picture, in three equal channels."""
    return tf.broadcast_to(luma(images), tf.shape(images))


def hue(images: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Every hue rotated by `turn`, float32 [B], where 1 is a full circle (as in HSV)."""
    red, green, blue = tf.unstack(images, axis=-1)
    highest = tf.maximum(tf.maximum(red, green), blue)
    chroma = highest - tf.minimum(tf.minimum(red, green), blue)
    of_red = tf.math.divide_no_nan(green - blue, chroma)
    of_green = 2.0 + tf.math.divide_no_nan(blue - red, chroma)
    of_blue = 4.0 + tf.math.divide_no_nan(red - green, chroma)
    is_red, is_green = (red >= green) & (red >= blue), green >= blue
    sixths = tf.where(is_red, of_red, tf.where(is_green, of_green, of_blue)) + 6.0 * turn[:, None, None]

    def channel(offset: float) -> tf.Tensor:
        place = sixths + offset
        place -= 6.0 * tf.floor(place / 6.0)  # tf.math.floormod took most of the time
        return highest - chroma * tf.clip_by_value(tf.minimum(place, 4.0 - place), 0.0, 1.0)

    return tf.stack([channel(5.0), channel(3.0), channel(1.0)], axis=-1)


def posterize(images: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """The nearest whole values with only their highest `bits[i]` bits; int32 [B], 0 to 8."""
    kept = tf.bitwise.left_shift(255, 8 - bits)
    return tf.cast(tf.bitwise.bitwise_and(_whole(images), per_image(kept)), tf.float32)


def solarize(images: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Values from `threshold[i]` on inverted, float32 [B]."""
    return tf.where(images >= per_image(threshold), 255.0 - images, images)


def autocontrast(images: tf.Tensor) -> tf.Tensor:
    """Each channel of each image stretched to span 0 to 255; a constant channel is unchanged."""
    darkest = tf.reduce_min(images, axis=[1, 2], keepdims=True)
    span = tf.reduce_max(images, axis=[1, 2], keepdims=True) - darkest
    return tf.where(span > 0.0, (images - darkest) * tf.math.divide_no_nan(255.0, span), images)


def equalize(images: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Flatten the histogram of each channel of the images that are `chosen`, bool [B].

    Histograms cost more than all other operations, so only the chosen images get them: a loop gathers those from the
    batch, some at a time.
    """
    order = tf.argsort(tf.cast(~chosen, tf.int32), stable=True)
    num_chosen = tf.reduce_sum(tf.cast(chosen, tf.int32))

    def some(start: tf.Tensor, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Beyond the last one, the last one again: writing it back twice is harmless.
        place = tf.minimum(start + tf.range(_EQUALIZED_AT_ONCE), num_chosen - 1)
        rows = tf.gather(order, place)
        equal = _equalized(tf.gather(images, rows))
        return start + _EQUALIZED_AT_ONCE, tf.tensor_scatter_nd_update(images, rows[:, None], equal)

    return tf.while_loop(lambda start, _: start < num_chosen, some, (0, images))[1]


def _equalized(images: tf.Tensor) -> tf.Tensor:
    """Pillow's formula: a value's rank is the number of pixels below it, in steps of a 255th of those below the top.

    One long histogram was faster than comparisons, one-hot products and sorting, with XLA and without.
    """
    height, width, channels = images.shape[1:]
    num_images = tf.shape(images)[0]
    pixels = tf.reshape(_whole(tf.transpose(images, [0, 3, 1, 2])), [-1, height * width])  # [B * C, H * W]
    num_rows = num_images * channels
    bins = tf.reshape(pixels + 256 * tf.range(num_rows)[:, None], [-1])
    histogram = tf.math.unsorted_segment_sum(tf.ones_like(bins), bins, 256 * num_rows)
    below = tf.gather(tf.cumsum(tf.reshape(histogram, [-1, 256]), axis=1, exclusive=True), pixels, batch_dims=1)
    step = tf.reduce_max(below, axis=1, keepdims=True) // 255
    spread = tf.minimum((below + step // 2) // tf.maximum(step, 1), 255)
    # With fewer than 255 pixels below the top there is no step, and a channel is unchanged.
    equal = tf.reshape(tf.where(step > 0, spread, pixels), [-1, channels, height, width])
    return tf.transpose(tf.cast(equal, tf.float32), [0, 2, 3, 1])


def _whole(images: tf.Tensor) -> tf.Tensor:
    """The nearest whole values, int32, 0 to 255."""
    return tf.cast(tf.clip_by_value(tf.round(images), 0.0, 255.0), tf.int32)
