"""Checks before a training or an evaluation of a run. Nothing here loads TensorFlow: what is wrong is known at once."""

import pathlib
import shlex

from models.config import saved
from models.config.fitted import fitted
from models.config.training import TrainConfig
from models.runs import trunk_run
from models.runs.folder import RunFolder
from pipeline import address
from pipeline.common import errors
from pipeline.data_config import AUTO, DataConfig, SourceConfig, check_held_out, default_data_dir
from pipeline.datasets import builtin, naming, prepared
from pipeline.epochs import EpochSchedule


def check(data: DataConfig, config: TrainConfig) -> None:
    """Check that the configurations fit the data set, prepared or not, one another and the trunk's run.

    Raises:
      errors.BadArgumentError: they do not fit.
      errors.FailedError: the trunk's run has not ended, or its model cannot be read; or no data service listens.
    """
    description = prepared.describe(data.data_dir, builtin.CIFAR100 if data.dataset == AUTO else data.prepared_name)
    if description is not None:
        data, config = fitted(data, config, description)
        EpochSchedule.from_config(data, data.split_sizes(description)["train"], config.epochs, config.max_steps)
        data.check_memory(description)
    if data.data_service and config.distribute != "none":
        raise errors.BadArgumentError(
            f"data_service={data.data_service}: it makes batches for one process with one device, and "
            f"distribute={config.distribute} needs parts of them; leave one of the two flags out"
        )
    if data.data_service:
        address.check_listening("data_service", data.data_service)
    check_patience(config, num_held_out(data))
    if config.init_from and description is not None:
        trunk_run.check(
            data,
            config,
            records=prepared.recorded_fingerprint(data.data_dir, data.prepared_name),
            num_validation=num_held_out(data),
            input_size=data.input_size(description.image_size),
        )


def num_held_out(data: DataConfig) -> int:
    """The number of images held out for validation; `data.num_validation` where the data set is not known yet."""
    description = prepared.describe(data.data_dir, data.prepared_name)
    return data.num_validation if description is None else data.split_sizes(description)["validation"]


def check_patience(config: TrainConfig, num_validation: int) -> None:
    """Raise errors.BadArgumentError unless `patience` has a validation part to watch."""
    if config.patience and not num_validation:
        raise errors.BadArgumentError(
            f"patience={config.patience}: expected --num_validation above 0, got num_validation=0; leave --patience out"
        )


def evaluated_data(run: RunFolder, split_name: str, data_dir: str = "") -> DataConfig:
    """The data on which to evaluate a finished run; `data_dir` as of `models.training.evaluation.evaluate_run`.

    Raises:
      errors.BusyError: another process trains the run.
      errors.FailedError: the run has not ended, its model cannot be read, or its data set is not prepared.
      errors.BadArgumentError: the folder holds no run, nothing was held out for validation, or the data set has other
        classes than the run.
    """
    _check_not_in_training(run)
    data, _ = saved.configs(run.check_model().config())
    there = data_dir or _folder_of(data)
    data = data.replace(data_dir=there)
    if split_name == "validation":
        check_held_out(num_held_out(data))
    if not prepared.is_prepared(there, data.prepared_name):
        origin = "" if data_dir else f"; config.json of run_dir={run.path} names this folder, perhaps another machine's"
        raise errors.FailedError(
            f"data_dir={there}: {data.shown_name} is not prepared there{origin}; set --data_dir, or run: "
            f"{shlex.join(['python', '-m', 'pipeline.prepare', *_source_flags(data)])}{_where_images_belong(data)}"
        )
    description = prepared.description(data.data_dir, data.prepared_name)
    if description.classes != run.description().classes:
        raise errors.BadArgumentError(
            f"data_dir={there}: {data.shown_name} has other classes there than run_dir={run.path} was trained "
            "on; set the --data_dir that it was trained on, unless --refresh has replaced it"
        )
    data.split_sizes(description)
    return data


def _check_not_in_training(run: RunFolder) -> None:
    """Raise errors.BusyError where another process trains the run, and BadArgumentError where the folder holds none."""
    run.config()
    if not run.is_finished and run.read_only_reason is None:
        with run.locked():
            return


def _source_flags(data: DataConfig) -> list[str]:
    """The flags of the data set of a run, but for its archive."""
    values, usual = data.source_values(), SourceConfig().as_dict()
    return [f"--{name}={value}" for name, value in values.items() if value != usual[name] and name != "archive"]


def _where_images_belong(data: DataConfig) -> str:
    """What to do where the folder that a data set is made of has moved; its path is part of the data set's name."""
    path = pathlib.Path(data.dataset.removeprefix(naming.FOLDER))
    has_moved = data.dataset.startswith(naming.FOLDER) and not path.exists()
    return f" (first put the images back into {path}, perhaps by a symbolic link)" if has_moved else ""


def _folder_of(data: DataConfig) -> str:
    """The folder of a run's data; the default one where the data have moved with the checkout."""
    default, name = default_data_dir(), data.prepared_name
    has_moved = not prepared.is_prepared(data.data_dir, name) and prepared.is_prepared(default, name)
    return default if has_moved else data.data_dir
