"""Checks before a training or an evaluation of a run. Nothing here loads TensorFlow: what is wrong is known at once."""

from models.architectures import BUILDERS
from models.config import saved
from models.config.training import TrainConfig
from models.runs import trunk_run
from models.runs.folder import RunFolder
from pipeline.common import errors
from pipeline.common.config import as_text
from pipeline.data_config import DataConfig, default_data_dir
from pipeline.datasets import prepared
from pipeline.epochs import EpochSchedule
from pipeline.resolution import FULL_SIZE, ResolutionSchedule


def check(data: DataConfig, config: TrainConfig) -> None:
    """Check that the configurations fit the data set, prepared or not, one another and the trunk's run.

    Raises:
      errors.BadArgumentError: they do not fit.
      errors.FailedError: the trunk's run has not ended, or its model cannot be read.
    """
    num_train = data.num_train(prepared.num_train(data.data_dir, data.dataset))
    EpochSchedule.from_config(data, num_train, config.epochs, config.max_steps)
    check_configs(data, config)
    if config.init_from:
        trunk_run.check(data, config, prepared.recorded_fingerprint(data.data_dir, data.dataset))


def check_configs(data: DataConfig, config: TrainConfig) -> None:
    """Raise errors.BadArgumentError unless the network takes the resolutions and `patience` has a validation part."""
    sizes = set(ResolutionSchedule.from_shares(data.resolutions).sizes)
    if sizes != {FULL_SIZE} and not BUILDERS[config.architecture].takes_any_size:
        raise errors.BadArgumentError(
            f"resolutions={as_text(data.resolutions)}: --architecture={config.architecture} takes only {FULL_SIZE} x "
            f"{FULL_SIZE} pixels; leave --resolutions out"
        )
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
    if not (data_dir or prepared.is_prepared(there, data.dataset)):
        raise errors.FailedError(
            f"data_dir={there}: {data.dataset} is not prepared there; config.json of run_dir={run.path} names this "
            "folder, perhaps one of another machine; set --data_dir"
        )
    data = data.replace(data_dir=there)
    prepared.check_prepared(data.data_dir, data.dataset)
    data.num_train(prepared.num_train(data.data_dir, data.dataset))
    return data


def _folder_of(data: DataConfig) -> str:
    """The folder of a run's data; the default one where the data have moved with the checkout."""
    default = default_data_dir()
    has_moved = not prepared.is_prepared(data.data_dir, data.dataset) and prepared.is_prepared(default, data.dataset)
    return default if has_moved else data.data_dir
