"""A convolution without outputs that pooling drops, and with a faster kernel gradient on CPUs.

Pooling of 2 x 2 drops an odd last row and column: 27 % of the outputs on maps of 7 x 7. oneDNN computes bfloat16 at
full rate in a convolution's forward pass and input gradient, but at a third of it in the kernel gradient where maps
are small and channels many, which is most of the work of the fast networks. Here the kernel gradient is one matrix
product for each position in the kernel, without the padding; on the smallest maps, `pixel_products` leave the padding
out of the forward pass and the input gradient too. `python -m benchmarks.train_step` times whole steps.
"""

from typing import Any

import keras
import tensorflow as tf

from models.layers import pixel_products
from models.runtime import device

# With fewer, oneDNN 3.7 computes a wrong kernel gradient of strided 1 x 1 kernels, on processors without AVX-512.
MIN_CHANNELS_STRIDED = 8
LARGEST_MAP_BY_PIXEL = 3  # pixels each way; of 4 x 4, 31 % is padding, and copying neighbours may cost more
LARGEST_SMALL_MAP = 8  # pixels each way; above it oneDNN's kernel gradient is as fast


@keras.saving.register_keras_serializable("streaming_cifar100")
class Convolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` of "same" padding and no bias, faster to train in bfloat16 on CPUs.

    Outputs and gradients equal `Conv2D`'s but for the order of summation. `kernel_gradient` is used in bfloat16 on
    CPUs, for kernels of more than one pixel whose outputs have at most 8 pixels each way, where batch and map have a
    static size; `pixel_products` too where they have at most 3, at stride 1. `even_outputs` leaves out the last row or
    column of an odd number, as pooling of 2 x 2 drops it.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        kernel_initializer: object = "he_normal",
        even_outputs: bool = False,
        **kwargs: Any,
    ) -> None:
        fixed = {"padding": "same", "use_bias": False, "data_format": "channels_last"}
        super().__init__(filters, kernel_size, kernel_initializer=kernel_initializer, **{**kwargs, **fixed})
        self.even_outputs = even_outputs

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """[B, H, W, channels], [k, k, channels, filters] -> [B, H, W, filters], or less of H and W."""
        stride = self.strides[0]
        is_plain = self.strides == (stride, stride) and self.dilation_rate == (1, 1) and self.groups == 1
        if not is_plain or None in inputs.shape[1:3] or (self.even_outputs and stride > 1):
            outputs = super().convolution_op(inputs, kernel)
            if not self.even_outputs:
                return outputs
            _, height, width, _ = tf.unstack(tf.shape(outputs) // 2 * 2)
            return outputs[:, :height, :width]
        is_small = inputs.shape[0] is not None and max(inputs.shape[1:3]) <= LARGEST_SMALL_MAP * stride
        kernel, padding = tf.convert_to_tensor(kernel), "SAME"
        if self.kernel_size == (1, 1) and inputs.shape[-1] < MIN_CHANNELS_STRIDED and stride > 1:
            inputs, stride = inputs[:, ::stride, ::stride], 1
        if self.even_outputs and (inputs.shape[1] % 2 or inputs.shape[2] % 2):
            inputs, padding = _padded_for_even_outputs(inputs, self.kernel_size), "VALID"
        if is_small and max(self.kernel_size) > 1 and self.compute_dtype == "bfloat16" and not device.has_gpu():
            if stride == 1 and padding == "SAME" and max(inputs.shape[1:3]) <= LARGEST_MAP_BY_PIXEL:
                return convolved_by_pixel(inputs, kernel)
            return convolved(inputs, kernel, stride, padding)
        return tf.nn.conv2d(inputs, kernel, stride, padding)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As of "same" padding; odd sizes lose one pixel if `even_outputs`."""
        batch, *sizes, filters = super().compute_output_shape(input_shape)
        if self.even_outputs:
            sizes = [size and size // 2 * 2 for size in sizes]
        return (batch, *sizes, filters)

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "even_outputs": self.even_outputs}

    def stock(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """The outputs of Keras's layers with the same kernel, in float32; with `even_outputs`, sizes are static."""
        layer = keras.layers.Conv2D(
            self.filters,
            self.kernel_size,
            self.strides,
            padding="same",
            dilation_rate=self.dilation_rate,
            groups=self.groups,
            use_bias=False,
            kernel_initializer="zeros",
            dtype="float32",
            name=self.name,
        )
        outputs = layer(inputs)
        layer.set_weights(self.get_weights())
        odd = [size % 2 for size in outputs.shape[1:3]] if self.even_outputs else [0, 0]
        if not any(odd):
            return outputs
        crop = keras.layers.Cropping2D([(0, rest) for rest in odd], dtype="float32", name=f"{self.name}_cropped")
        return crop(outputs)


def _padded_for_even_outputs(images: tf.Tensor, kernel_size: tuple[int, int]) -> tf.Tensor:
    """Images whose convolution of "VALID" padding is that of "SAME" padding without the odd last row and column."""
    paddings = [(0, 0), (0, 0)]
    for axis, kernel_length in enumerate(kernel_size):
        before, after = (kernel_length - 1) // 2, kernel_length // 2
        if images.shape[1 + axis] % 2:
            after -= 1
        if after < 0:  # the odd row or column is seen by the outputs that are left out, and by no others
            images, after = (images[:, :-1] if axis == 0 else images[:, :, :-1]), 0
        paddings[axis] = (before, after)
    return tf.pad(images, [(0, 0), *paddings, (0, 0)]) if any(map(any, paddings)) else images


def convolved(images: tf.Tensor, kernel: tf.Tensor, stride: int, padding: str) -> tf.Tensor:
    """`tf.nn.conv2d` with `kernel_gradient` as its kernel's gradient."""

    @tf.custom_gradient
    def differentiable(images: tf.Tensor, kernel: tf.Tensor) -> Any:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_images = tf.nn.conv2d_transpose(upstream, kernel, images.shape, stride, padding)
            return of_images, kernel_gradient(images, upstream, tuple(kernel.shape[:2]), stride, padding)

        return tf.nn.conv2d(images, kernel, stride, padding), gradients

    return differentiable(images, kernel)


def convolved_by_pixel(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`tf.nn.conv2d` of stride 1 and "SAME" padding, all of whose products leave the padding out."""

    @tf.custom_gradient
    def differentiable(images: tf.Tensor, kernel: tf.Tensor) -> Any:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_images = pixel_products.images_gradient(upstream, kernel)
            return of_images, kernel_gradient(images, upstream, tuple(kernel.shape[:2]), 1, "SAME")

        return pixel_products.convolved(images, kernel), gradients

    return differentiable(images, kernel)


def kernel_gradient(
    images: tf.Tensor, upstream: tf.Tensor, kernel_size: tuple[int, int], stride: int, padding: str
) -> tf.Tensor:
    """[height, width, channels, filters] in the dtype of `images`: the gradient of a convolution's kernel.

    `images` [B, H, W, channels] were convolved, and `upstream` [B, H', W', filters] is the gradient of what came out;
    their shapes are known. `stride` is in pixels, the same each way; `padding` is "SAME" or "VALID".
    """
    channels, filters = images.shape[-1], upstream.shape[-1]
    rows, columns = (
        _overlaps(images.shape[axis], upstream.shape[axis], length, stride, padding)
        for axis, length in zip((1, 2), kernel_size, strict=True)
    )
    with tf.name_scope("kernel_gradient"):  # `benchmarks.profile` knows the operations by it
        phases = _phases(images, stride)
        products = []
        for row_phase, image_rows, upstream_rows in rows:
            for column_phase, image_columns, upstream_columns in columns:
                phase = phases[row_phase][column_phase]
                inputs = tf.reshape(phase[:, image_rows, image_columns], [-1, channels])
                outputs = tf.reshape(upstream[:, upstream_rows, upstream_columns], [-1, filters])
                products.append(tf.matmul(inputs, outputs, transpose_a=True))
        return tf.reshape(tf.stack(products), [*kernel_size, channels, filters])


def _phases(images: tf.Tensor, stride: int) -> list[list[tf.Tensor]]:
    """Every stride-th pixel, by the row and column of the first: [B, H / stride, W / stride, channels] each.

    One transpose makes all: strided slices take longer than the products. Sizes are padded with zeros to multiples.
    """
    if stride == 1:
        return [[images]]
    batch, height, width, channels = images.shape
    missing = [(0, -length % stride) for length in (height, width)]
    images = tf.pad(images, [(0, 0), *missing, (0, 0)]) if any(map(any, missing)) else images
    split = [batch, -(-height // stride), stride, -(-width // stride), stride, channels]
    phases = tf.transpose(tf.reshape(images, split), [2, 4, 0, 1, 3, 5])
    return [tf.unstack(of_row) for of_row in tf.unstack(phases)]


def _overlaps(
    num_inputs: int, num_outputs: int, kernel_length: int, stride: int, padding: str
) -> list[tuple[int, slice, slice]]:
    """Along one axis, for each position in the kernel: its phase, the inputs in the phase, and their outputs.

    Padding is left out: it is two fifths of the inputs of a 3 x 3 kernel on maps of 3 x 3 pixels. A position with
    padding alone has empty slices, whose product is zeros.
    """
    padded = max((num_outputs - 1) * stride + kernel_length - num_inputs, 0) if padding == "SAME" else 0
    overlaps = []
    for place in range(kernel_length):
        reach, phase = divmod(place - padded // 2, stride)
        num_in_phase = len(range(phase, num_inputs, stride))
        begin = min(max(-reach, 0), num_outputs)
        end = max(begin, min(num_outputs, num_in_phase - reach))
        overlaps.append((phase, slice(max(begin + reach, 0), max(end + reach, 0)), slice(begin, end)))
    return overlaps
