"""Reads a data set that TFDS has prepared: its features, splits, labels and encoded images."""

import collections
import dataclasses
import functools
import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from pipeline.common import app, errors, files, progress
from pipeline.datasets import canonical
from pipeline.datasets.conversion.messages import log
from pipeline.datasets.description import Classes

NAMES = {"train": ("train",), "validation": ("validation", "val", "valid", "dev"), "test": ("test",)}  # of splits
BATCH = 1000  # labels


@dataclasses.dataclass(frozen=True)
class TfdsReader:
    """Reads the version folder of a data set, whose name in errors, such as "tfds:beans", is `dataset`."""

    dataset: str
    folder: pathlib.Path

    @property
    def info(self) -> Any:
        """TFDS's description of the data set; errors.FailedError where it cannot be read."""
        return _info(self.folder, self.dataset)

    def image_key(self) -> str:
        """The feature that is the image; errors.BadArgumentError where none is, or several."""
        import tensorflow_datasets as tfds

        features = self.info.features
        images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
        chosen = [key for key in self._supervised() if key in images] or images
        if len(chosen) != 1:
            kinds = ", ".join(f"{key} ({type(feature).__name__})" for key, feature in sorted(features.items()))
            self._refuse(f"expected one feature that is an image, got {kinds}")
        if np.issubdtype(features[chosen[0]].np_dtype, np.floating):
            self._refuse(f"expected images of 8 or 16 bits a channel, got floating-point numbers in {chosen[0]!r}")
        return chosen[0]

    def label_key(self, flag: str, given: str) -> str:
        """The feature of a flag that is a label; if none is given, the one that TFDS supervises, or the only one."""
        labels = sorted(key for key, feature in self.info.features.items() if _is_label(feature))
        chosen = [given] if given else [key for key in self._supervised() if key in labels] or labels
        if len(chosen) != 1 or chosen[0] not in labels:
            self._refuse(f"{flag}={given}: expected one of {', '.join(labels) or 'its labels, but it has none'}")
        return chosen[0]

    def splits(self, fine_key: str) -> dict[str, str]:
        """TFDS's name of "train" and perhaps "validation" and "test"; a split without labels is left out."""
        infos = {name: info for name, info in self.info.splits.items() if info.num_examples}
        chosen = {}
        for split, names in NAMES.items():
            for name in [name for name in names if name in infos][:1]:
                if next(self.examples(name, (fine_key,), 0, 1))[fine_key] >= 0:
                    chosen[split] = name
                else:
                    log(f"{self.dataset}: {name!r} has no labels and is left out")
        if "train" not in chosen:
            self._refuse(f"expected a split 'train' with labels, got {', '.join(infos) or 'no images'}")
        if others := sorted(infos.keys() - {name for names in NAMES.values() for name in names}):
            log(f"{self.dataset}: not used: {', '.join(others)}")
        return chosen

    def classes(self, splits: Collection[str], fine_key: str, coarse_key: str) -> tuple[Classes, tuple[int, ...]]:
        """The classes, and the value of each one in the files. All labels are read if the features do not say them."""
        is_said = not coarse_key and _has_names(self.info.features[fine_key])
        labels = {} if is_said else self._labels(splits, [key for key in (fine_key, coarse_key) if key])
        fine, values = self._names_and_values(fine_key, labels)
        if not coarse_key:
            return Classes(fine), values
        coarse, coarse_values = self._names_and_values(coarse_key, labels)
        is_labelled = labels[fine_key] >= 0
        fine_numbers = np.searchsorted(values, labels[fine_key][is_labelled])
        coarse_numbers = np.searchsorted(coarse_values, labels[coarse_key][is_labelled])
        for place in np.flatnonzero(is_labelled & (labels[coarse_key] < 0))[:1]:
            self._refuse(f"coarse_key={coarse_key}: {self._place(splits, place)} has no superclass")
        superclass = np.full(len(fine), -1)
        superclass[fine_numbers] = coarse_numbers
        for one in np.flatnonzero(superclass[fine_numbers] != coarse_numbers)[:1]:
            number = fine_numbers[one]
            other = np.flatnonzero((fine_numbers == number) & (coarse_numbers == superclass[number]))[0]
            names = [self._place(splits, place) for place in np.flatnonzero(is_labelled)[[one, other]]]
            self._refuse(
                f"coarse_key={coarse_key}: expected one superclass a class, got {fine[number]!r} in "
                f"{coarse[coarse_numbers[one]]!r} ({names[0]}) and {coarse[superclass[number]]!r} ({names[1]})"
            )
        for number in np.flatnonzero(superclass < 0)[:1]:
            self._refuse(f"coarse_key={coarse_key}: the class {fine[number]!r} has no image, and so no superclass")
        return Classes(fine, coarse, tuple(superclass.tolist())), values

    def examples(
        self, split: str, keys: Sequence[str], begin: int, end: int, batch_size: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Some features of the examples of a split from the number `begin` to before `end`, images encoded.

        errors.FailedError where the files cannot be read, or have a format that tf.data does not read.
        """
        app.load_tensorflow()
        import tensorflow as tf
        import tensorflow_datasets as tfds

        builder = tfds.builder_from_directory(self.folder)
        features = {key: builder.info.features[key] for key in keys}
        for feature in features.values():
            vars(feature)["dtype"] = feature.tf_dtype  # which PartialDecoding reads; computed by TFDS, it warns
        are_images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
        encoded = {key: tfds.decode.SkipDecoding() for key in are_images}
        try:
            dataset = builder.as_dataset(
                split=tfds.core.ReadInstruction(split, from_=begin, to=end, unit="abs"),
                decoders=tfds.decode.PartialDecoding(dict.fromkeys(keys, True), encoded),
                read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
                batch_size=batch_size,
            )
            yield from dataset.as_numpy_iterator()
        except tf.errors.OpError as error:
            reason = " ".join(str(error.message).split())
            raise errors.FailedError(
                f"dataset={self.dataset}: {self.folder} is damaged ({reason}); prepare it again with TFDS"
            ) from error
        except (NotImplementedError, ImportError) as error:  # of ArrayRecord; of Riegeli where it is not installed
            raise errors.FailedError(
                f"dataset={self.dataset}: {self.folder} holds {builder.info.file_format.value} files, which TFDS does "
                "not read as a tf.data.Dataset here; expected tfrecord: prepare it into another folder with tfds build "
                "--file_format=tfrecord"
            ) from error

    def _labels(self, splits: Collection[str], keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The labels of all examples of the splits, one split after the other, int64 [N] for each key."""
        arrays = collections.defaultdict(list)
        counts = {split: self.info.splits[split].num_examples for split in splits}
        with progress.task(f"reading the labels of {self.dataset}", sum(counts.values()), "images") as task:
            for split, count in counts.items():
                for batch in self.examples(split, keys, 0, count, BATCH):
                    for key in keys:
                        arrays[key].append(batch[key].astype(np.int64))
                    task.advance(len(batch[keys[0]]))
        return {key: np.concatenate(arrays[key]) for key in keys}

    def _names_and_values(self, key: str, labels: dict[str, np.ndarray]) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The names of the classes of a feature, and the value of each one in the files."""
        feature = self.info.features[key]
        if _has_names(feature):
            return tuple(feature.names), tuple(range(feature.num_classes))
        values = np.unique(labels[key][labels[key] >= 0]).tolist()
        if len(values) > 1 << canonical.LABEL_BITS:
            self._refuse(f"{key!r} has {len(values):,} values; expected at most {1 << canonical.LABEL_BITS:,} classes")
        return tuple(map(str, values)), tuple(values)

    def _place(self, splits: Collection[str], place: int) -> str:
        """The name of an example by its place in the splits one after the other."""
        for split in splits:
            count = self.info.splits[split].num_examples
            if place < count:
                break
            place -= count
        return f"{split}[{place}]"

    def _supervised(self) -> list[str]:
        return [key for key in self.info.supervised_keys or () if isinstance(key, str)]

    def _refuse(self, problem: str) -> NoReturn:
        raise errors.BadArgumentError(f"dataset={self.dataset}: {problem}")


@functools.cache
def _info(folder: pathlib.Path, dataset: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        with files.decoding():
            return tfds.builder_from_directory(folder).info
    except (ValueError, OSError) as error:
        raise errors.FailedError(f"dataset={dataset}: TFDS cannot read {folder} ({error})") from error


def _is_label(feature: Any) -> bool:
    """Whether a feature is one whole number an example, as ClassLabel is."""
    return getattr(feature, "shape", None) == () and np.issubdtype(feature.np_dtype, np.integer)


def _has_names(feature: Any) -> bool:
    return bool(getattr(feature, "num_classes", None))
