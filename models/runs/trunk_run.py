"""The run whose trunk another run starts from: which one fits. Needs no TensorFlow."""

from typing import Any

from models.architectures import BUILDERS
from models.config import saved
from models.config.network import TRUNK_FIELDS
from models.config.training import TrainConfig
from models.runs.folder import RunFolder
from pipeline.common import errors
from pipeline.data_config import FORM_FIELDS, HELD_OUT_FIELDS, OWN_VALIDATION, DataConfig
from pipeline.datasets import builtin
from pipeline.datasets.description import LEVELS


def check(data: DataConfig, config: TrainConfig, *, records: str, num_validation: int, input_size: int) -> RunFolder:
    """The run in `config.init_from`, which must have ended, and have this network's trunk.

    `records` is the fingerprint of the data set's records, "" where it is not known yet. A run on the same records, in
    whatever form they came, must have held out the same `num_validation` images, which its trunk has otherwise seen.
    `input_size` is that of the images that the network takes.

    Raises:
      errors.BadArgumentError: it has another trunk or split, or an unknown one, or the folder holds no run.
      errors.FailedError: it has not ended, or its model cannot be read.
    """
    run = RunFolder(config.init_from, "init_from").check_model()
    source, expected = saved.normalised(run.config()), {**data.as_dict(), **config.as_dict()}
    names = [*TRUNK_FIELDS]
    if last_block_there(source, config) is not None:
        names.remove("separate_blocks")
    elif config.get("separate_blocks", False):
        names.append("heads")
    if _records(run, records) == records:
        names += HELD_OUT_FIELDS
        if source["num_validation"] != data.num_validation:  # equal ones hold out the same images
            counts = {"there": run.report()["num_validation"], "here": num_validation}
            if "validation" in run.description().num_examples:  # which may hold as many as are held out of train
                for place, given in (("there", source["num_validation"]), ("here", data.num_validation)):
                    counts[place] = "its own split" if given == OWN_VALIDATION else counts[place]
            source["num_validation"], expected["num_validation"] = counts["there"], counts["here"]
    elif records and (num_validation or data.dataset not in builtin.VERSIONS):  # of which test images are chosen too
        _check_form(data, source, config.init_from)
    _check_size(source["crop_size"] or run.description().image_size, input_size, config)
    for name in names:
        there, here = source.get(name), expected.get(name)
        if (there or False) != (here or False):  # not read is as good as off
            wanted = "on this split" if name in HELD_OUT_FIELDS else "of this network, or --preset=finetune"
            raise errors.BadArgumentError(
                f"init_from={config.init_from}: {name}={there!r} there, {here!r} here; expected a run {wanted}"
            )
    return run


def _records(run: RunFolder, here: str) -> str:
    """The fingerprint of a run's records; refuses a run that keeps none, or whose own trunk saw the records `here`."""
    fingerprints: dict[str, str] | None = run.report().get("fingerprints")
    if fingerprints is None:
        raise errors.BadArgumentError(
            f"init_from={run.path}: an earlier version trained it, on images that are held out for validation now; "
            "expected a run of this version"
        )
    if fingerprints["records"] != here and here in earlier_records(run):
        raise errors.BadArgumentError(
            f"init_from={run.path}: its own trunk was trained on these records, perhaps on images that are held out; "
            "expected a run whose trunk was not"
        )
    return fingerprints["records"]


def _check_size(there: int, here: int, config: TrainConfig) -> None:
    """Refuse a network of one size that was trained on images of another."""
    if there != here and not BUILDERS[config.architecture].takes_any_size:
        raise errors.BadArgumentError(
            f"init_from={config.init_from}: trained on images of {there} x {there} pixels, and "
            f"--architecture={config.architecture} takes one size alone; expected --image_size={there}, or "
            f"--crop_size={there} of larger images"
        )


def earlier_records(run: RunFolder) -> list[str]:
    """The fingerprints of the records that the trunk of a run had been trained on before, the latest first."""
    report = run.report()
    return [*filter(None, [report.get("trunk_records")]), *report.get("earlier_trunk_records", ())]


def _check_form(data: DataConfig, source: dict[str, Any], init_from: str) -> None:
    """Refuse a run on the same images in another form: images are held out by a hash of their pixels in each class."""
    here = data.as_dict()
    for name in FORM_FIELDS:
        if source["dataset"] == data.dataset and source[name] != here[name]:
            raise errors.BadArgumentError(
                f"init_from={init_from}: {name}={source[name]!r} there, {here[name]!r} here, of the same images, some "
                "of which are held out here and were trained on there; expected a run on other images"
            )


def last_block_there(source: dict[str, Any], config: TrainConfig) -> int | None:
    """The last block of the configuration `source` as which each one here begins; None where they correspond as is.

    Heads that share one there get one each, trainable, or the only head here had its own there. It is the number of the
    block, in the order of LEVELS.
    """
    there, here = (bool(values.get("separate_blocks", False)) for values in (source, config.as_dict()))
    if there and len(config.head_names) == 1:
        return LEVELS.index(config.head_names[0])
    return 0 if here and not there and config.get("unfreeze_last_block", False) else None
