"""Checks before a training or an evaluation of a run. Nothing here loads TensorFlow: what is wrong is known at once."""

from models.config import saved
from models.config.fitted import fitted
from models.config.training import TrainConfig
from models.runs import trunk_run
from models.runs.folder import RunFolder
from pipeline.common import errors
from pipeline.data_config import AUTO, DataConfig, default_data_dir
from pipeline.datasets import builtin, prepared
from pipeline.epochs import EpochSchedule


def check(data: DataConfig, config: TrainConfig) -> None:
    """Check that the configurations fit the data set, prepared or not, one another and the trunk's run.

    Raises:
      errors.BadArgumentError: they do not fit.
      errors.FailedError: the trunk's run has not ended, or its model cannot be read.
    """
    description = prepared.describe(data.data_dir, builtin.CIFAR100 if data.dataset == AUTO else data.prepared_name)
    if description is not None:
        data, config = fitted(data, config, description)
        EpochSchedule.from_config(data, data.split_sizes(description)["train"], config.epochs, config.max_steps)
        data.check_memory(description)
    check_patience(data, config)
    if config.init_from and description is not None:
        trunk_run.check(
            data,
            config,
            records=prepared.recorded_fingerprint(data.data_dir, data.prepared_name),
            num_validation=data.split_sizes(description)["validation"],
            input_size=data.input_size(description.image_size),
        )


def check_patience(data: DataConfig, config: TrainConfig) -> None:
    """Raise errors.BadArgumentError unless `patience` has a validation part to watch."""
    if config.patience and not data.num_validation:
        raise errors.BadArgumentError(
            f"patience={config.patience}: expected --num_validation above 0, got num_validation=0; leave --patience out"
        )


def evaluated_data(run: RunFolder, split_name: str, data_dir: str = "") -> DataConfig:
    """The data on which to evaluate a finished run; `data_dir` as of `models.training.evaluation.evaluate_run`.

    Raises:
      errors.FailedError: the run has not ended, its model cannot be read, or its data set is not prepared.
      errors.BadArgumentError: the folder holds no run, or nothing was held out for validation.
    """
    data, _ = saved.configs(run.check_model().config())
    if split_name == "validation":
        data.check_held_out()
    there = data_dir or _folder_of(data)
    if not (data_dir or prepared.is_prepared(there, data.prepared_name)):
        raise errors.FailedError(
            f"data_dir={there}: {data.shown_name} is not prepared there; config.json of run_dir={run.path} names this "
            "folder, perhaps one of another machine; set --data_dir"
        )
    data = data.replace(data_dir=there)
    data.split_sizes(prepared.description(data.data_dir, data.prepared_name))
    return data


def _folder_of(data: DataConfig) -> str:
    """The folder of a run's data; the default one where the data have moved with the checkout."""
    default, name = default_data_dir(), data.prepared_name
    has_moved = not prepared.is_prepared(data.data_dir, name) and prepared.is_prepared(default, name)
    return default if has_moved else data.data_dir
