"""What a row of a benchmark measures, as fields; its name follows from them."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Labels:
    """What a row measures. A field that does not apply is None.

    Labels.of("ours/train/{cache}/{batch_size}", "train", cache="disk", batch_size=512).name    # ours/train/disk/512

    Attributes:
      name: `ours/WHAT` or `peer/PEER/WHAT`.
      kind: of measurement; rows of one kind in one benchmark measure the same under other settings.
      peer: the library or the method that is measured instead of ours.
      recipe: a preset, or one of `training_steps.RECIPES`.
      precision: of the recipe's compute, such as "mixed_bfloat16".
      dtype: of a ceiling's products, such as "bfloat16".
      mode: "eager" or "compiled", of a peer.
      transforms: an augmentation set, or the class name of one transform.
      cache: as the flag `--cache`.
      batch_size: images in a batch.
      shuffle_buffer: examples, where it is not the default.
      threads: of tf.data, where their number is set.
      workers: processes that load data or run trials.
      loader: the class or the method that makes batches.
      stage: class name of the last stage of a pipeline that is cut off.
      num_images: training images in the data set.
      views: augmented images in an epoch.
      limit_gib: limit of a process's data, in GiB.
      binary: module that is run with `python -m`.
      metric: which figure it is of those that one measurement has.
    """

    name: str
    kind: str
    _: dataclasses.KW_ONLY
    peer: str | None = None
    recipe: str | None = None
    precision: str | None = None
    dtype: str | None = None
    mode: str | None = None
    transforms: str | None = None
    cache: str | None = None
    batch_size: int | None = None
    shuffle_buffer: int | None = None
    threads: int | None = None
    workers: int | None = None
    loader: str | None = None
    stage: str | None = None
    num_images: int | None = None
    views: int | None = None
    limit_gib: float | None = None
    binary: str | None = None
    metric: str | None = None

    @classmethod
    def of(cls, template: str, kind: str, **fields: Any) -> "Labels":
        """Labels with the name that `template` gives with these fields in its braces."""
        return Labels(template.format(**fields), kind, **fields)
