"""What a row of a benchmark measures, as fields; its name follows from them."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Labels:
    """What a row measures. A field that does not apply is None.

    Labels.of("ours/train/{cache}/{batch_size}", "train", cache="disk", batch_size=512).name    # ours/train/disk/512
    """

    name: str  # `ours/WHAT` or `peer/PEER/WHAT`
    kind: str  # of measurement; rows of one kind in one benchmark measure the same under other settings
    _: dataclasses.KW_ONLY
    peer: str | None = None  # the library or the method that is measured instead of ours
    recipe: str | None = None  # a preset, or one of `training_steps.RECIPES`
    precision: str | None = None  # of the recipe's compute, such as "mixed_bfloat16"
    jit_compile: str | None = None  # as the flag --jit_compile
    steps_per_call: int | None = None  # as the flag --steps_per_call
    dtype: str | None = None  # of a ceiling's products, such as "bfloat16"
    mode: str | None = None  # "eager" or "compiled", of a peer
    transforms: str | None = None  # an augmentation set, or the class name of one transform
    cache: str | None = None  # as the flag --cache
    batch_size: int | None = None  # images in a batch
    shuffle_buffer: int | None = None  # examples, where it is not the default
    threads: int | None = None  # of tf.data, where their number is set
    workers: int | None = None  # processes that load data or run trials
    loader: str | None = None  # the class or the method that makes batches
    stage: str | None = None  # class name of the last stage of a pipeline that is cut off
    num_images: int | None = None  # of the data set for training, or those that an accuracy is over
    views: int | None = None  # augmented images in an epoch
    limit_gib: float | None = None  # of a process's data
    binary: str | None = None  # module that is run with `python -m`
    encoding: str | None = None  # of image files: "stored" is without compression
    corruption: str | None = None  # of the images, a name of `benchmarks.robustness.corruptions`
    severity: int | None = None  # of the corruption, 1 to 5
    outliers: str | None = None  # images that are not of the data set, such as "uniform_noise" or "folder:NAME"
    score: str | None = None  # that tells them from images of the data set
    metric: str | None = None  # which figure it is of those that one measurement has

    @classmethod
    def of(cls, template: str, kind: str, **fields: Any) -> "Labels":
        """Labels with the name that `template` gives with these fields in its braces."""
        return Labels(template.format(**fields), kind, **fields)
