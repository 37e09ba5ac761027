"""The functions that resize and crop images, for preparation, prediction and export."""

import numpy as np
import PIL.Image


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """The central square of an image, uint8 [H, W, 3], with `size` pixels each way, uint8 [S, S, 3].

    The shorter side becomes `size` by antialiased bicubic interpolation, and the longer one is cropped to its centre,
    as in the evaluation of torchvision and timm. The crop begins at a whole pixel of the image, so that an image whose
    shorter side is `size` is cropped only. Pillow computes in integers: every machine gives the same pixels.
    """
    height, width, _ = image.shape
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = (left, top, left + side, top + side)
    resized = PIL.Image.fromarray(image).resize((size, size), PIL.Image.Resampling.BICUBIC, box=square)
    return np.asarray(resized)


def center_crop(images: np.ndarray, size: int) -> np.ndarray:
    """The central `size` x `size` pixels of square images, [..., S, S, 3], as an evaluation crops them."""
    margin = (images.shape[-2] - size) // 2
    return images[..., margin : margin + size, margin : margin + size, :]
