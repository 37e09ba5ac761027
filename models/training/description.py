"""The text printed before a run's first step: the stages of the data, the model, the number of steps."""

from models.config.training import TrainConfig
from models.training.state import TrainState
from pipeline.batches import OpenedData
from pipeline.common.config import as_text
from pipeline.common.numbers import counted
from pipeline.epochs import EpochSchedule


def describe(opened: OpenedData, config: TrainConfig, epochs: EpochSchedule, state: TrainState) -> None:
    """Print the stages of the training data and the size of the model and of the training."""
    data, step = opened.config, state.progress.step
    print(f"Data: {data.shown_name}, from {data.data_dir}")
    if data.data_service:
        print(f"  batches as of these stages, made by the workers of {data.data_service}:")
    for stage in opened.train_stages(config.seed, step):
        print(f"  {stage}")
    print(f"  ---- {'indices cross' if data.cache == 'device' else 'uint8 crosses'} to the device")
    for transform in state.step.transforms:
        print(f"  {transform!r}")
    if data.unaugmented_share:
        print(f"  except {data.unaugmented_share} of each example's views, unaugmented")
    if ending := data.get("unaugmented_last_fraction", 0.0):
        print(f"  except the last {ending:.1%} of the steps, unaugmented")
    if data.resolutions:
        print(f"  resized to {as_text(data.resolutions)} (pixels:fraction of the steps)")
    print(f"  an epoch: {counted(epochs.views, 'view')}, {counted(epochs.first_step(1), 'step')}")
    if config.schedule != "constant":
        peak = config.warmup_fraction * epochs.total_steps * data.batch_size / epochs.views
        steps = counted(epochs.total_steps, "step")
        print(f"  learning rate: {config.schedule} over {steps}, highest after {peak:,.2f} epochs")
    if (records := state.progress.trunk_records) and records != opened.fingerprints.records:
        print(f"Trunk: of {config.init_from}, which was trained on OTHER records (SHA-256 {records[:12]}...)")
    print(
        f"Model: {config.architecture}, {state.model.count_params():,} parameters; "
        f"{counted(epochs.total_steps - step, 'step')} of {counted(data.batch_size, 'image')} to go"
    )
    print(f"Precision: {config.precision} ({state.progress.precision_reason})")
