"""A convolution whose kernel gradient on CPUs is computed the fast way for small maps.

oneDNN multiplies bfloat16 at full rate in a convolution's forward pass and in its input's gradient, but at a third of
it in the kernel's gradient where maps are small and channels many, which is where the fast networks have most of their
work. The same sums can be had as a forward convolution (images and batch change places: channels are the batch, the
batch is the channels) or as one matrix product for each position of the kernel.
`python -m benchmarks.train_step` prints what a whole step gains.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

LARGEST_SMALL_MAP = 8  # pixels each way; above it oneDNN's own kernel gradient is as fast


@keras.saving.register_keras_serializable("streaming_cifar100")
class Convolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` of "same" padding and no bias, faster to train in bfloat16 on CPUs.

    Its outputs are `Conv2D`'s, its gradients too but for the order of summation. On GPUs, in float32, with strides
    and for maps of more than 8 pixels each way it is `Conv2D` unchanged.

    Args:
      filters: output channels.
      kernel_size: pixels each way.
      kernel_initializer: of the kernel.
    """

    def __init__(
        self, filters: int, kernel_size: int, kernel_initializer: object = "he_normal", **kwargs: object
    ) -> None:
        fixed = {"padding": "same", "use_bias": False}
        super().__init__(filters, kernel_size, kernel_initializer=kernel_initializer, **{**kwargs, **fixed})

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """[B, H, W, channels], [k, k, channels, filters] -> [B, H, W, filters]."""
        height, width = inputs.shape[1:3]
        is_small = None not in (inputs.shape[0], height, width) and max(height, width) <= LARGEST_SMALL_MAP
        is_plain = max(self.kernel_size) > 1 and max(self.strides) == max(self.dilation_rate) == self.groups == 1
        if is_small and is_plain and self.compute_dtype == "bfloat16" and not tf.config.list_logical_devices("GPU"):
            return convolved(inputs, tf.convert_to_tensor(kernel))
        return super().convolution_op(inputs, kernel)


@tf.custom_gradient
def convolved(
    images: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """`tf.nn.conv2d` of stride 1 and "SAME" padding, with `kernel_gradient` as its kernel's gradient."""

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=images.shape, filter=kernel, out_backprop=upstream, strides=[1, 1, 1, 1], padding="SAME"
        )
        return of_images, kernel_gradient(images, upstream, tuple(kernel.shape[:2]))

    return tf.nn.conv2d(images, kernel, 1, "SAME"), gradients


def kernel_gradient(images: tf.Tensor, upstream: tf.Tensor, kernel_size: tuple[int, int]) -> tf.Tensor:
    """The gradient of a convolution's kernel: of stride 1 and "SAME" padding, shapes known.

    Args:
      images: [B, H, W, channels], what was convolved.
      upstream: [B, H, W, filters], the gradient of what came out.
      kernel_size: of the kernel, height and width.

    Returns:
      [height, width, channels, filters] in the dtype of `images`.
    """
    paddings = [((size - 1) // 2, size // 2) for size in kernel_size]
    is_odd = all(size % 2 for size in kernel_size)
    if is_odd and max(images.shape[1:3]) < LARGEST_SMALL_MAP:
        return _as_forward_convolution(images, upstream, paddings)
    return _position_by_position(images, upstream, kernel_size, paddings)


def _as_forward_convolution(images: tf.Tensor, upstream: tf.Tensor, paddings: list[tuple[int, int]]) -> tf.Tensor:
    swapped = tf.nn.conv2d(
        tf.transpose(images, [3, 1, 2, 0]), tf.transpose(upstream, [1, 2, 0, 3]), 1, [(0, 0), *paddings, (0, 0)]
    )
    return tf.transpose(swapped, [1, 2, 0, 3])


def _position_by_position(
    images: tf.Tensor, upstream: tf.Tensor, kernel_size: tuple[int, int], paddings: list[tuple[int, int]]
) -> tf.Tensor:
    _, height, width, channels = images.shape
    filters = upstream.shape[-1]
    padded = tf.pad(images, [(0, 0), *paddings, (0, 0)])
    upstream = tf.reshape(upstream, [-1, filters])
    products = [
        tf.matmul(tf.reshape(padded[:, top : top + height, left : left + width], [-1, channels]), upstream, True)
        for top in range(kernel_size[0])
        for left in range(kernel_size[1])
    ]
    return tf.reshape(tf.stack(products), [*kernel_size, channels, filters])
